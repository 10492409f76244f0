"""bench/serving: its tables and its picture are made of the lines that it keeps; nothing is started here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "bench" / "serving"
PRINTED = """
import json, sys
from pathlib import Path
from picture import picture
from results import Results
from tables import printed
results = Results(Path(sys.argv[1]))
json.dump([printed(results), picture(results), results.summary()["medians"]], sys.stdout)
"""
ADDED = """
import sys
from pathlib import Path
from results import Results
Results(Path(sys.argv[1])).add(1, "insurance", "slipway", "keep-alive", {})
"""


def line(turn, service, load="keep-alive", **figures):
    return json.dumps({"turn": turn, "model": "insurance", "service": service, "load": load} | figures)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Tables, picture and medians of three turns of two services, a peer that failed, and a run that was killed."""
    figures = {"p50": 5.0, "p99": 9.0, "cpu": 400.0, "resident": 120.0}
    lines = [line(turn, "slipway", rate=rate, **figures) for turn, rate in enumerate((3000.0, 1000.0, 2000.0))]
    lines += [line(turn, "hello", rate=rate, **figures) for turn, rate in enumerate((1000.0, 500.0, 200.0))]
    lines += [line(0, "mlflow", error="uv said no"), line(0, "slipway", "start", seconds=0.7), '{"turn": 2, "mod']
    path = tmp_path_factory.mktemp("bench") / "results.jsonl"
    path.write_text("\n".join(lines))
    command = [sys.executable, "-c", PRINTED, str(path)]
    ended = subprocess.run(command, env={"PYTHONPATH": str(FOLDER)}, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def test_half_a_line_that_a_killed_run_left_is_dropped(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(line(0, "slipway", rate=1.0) + '\n{"turn": 1, "mod')
    subprocess.run([sys.executable, "-c", ADDED, str(path)], env={"PYTHONPATH": str(FOLDER)}, check=True)
    assert [json.loads(one)["turn"] for one in path.read_text().splitlines()] == [0, 1]


def row(tables, title):
    measured = tables.partition("### Duties")[0]
    [found] = [line for line in measured.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_a_row_has_the_median_and_the_spread_of_the_turns(report):
    assert row(report[0], "Slipway")[1:5] == ["2,000 (1,000–3,000)", "–", "5.0 (5.0–5.0)", "9.0 (9.0–9.0)"]


def test_ratios_are_of_the_same_turn(report):
    """3, 2 and 10 times: the ratio of the medians would be 4, the mean 5."""
    assert row(report[0], "Flask hello-world, gunicorn sync")[2] == "3.0 (2.0–10.0)"


def test_what_could_not_be_run_says_why(report):
    assert row(report[0], "MLflow models serve, as it comes")[1] == "not measured: uv said no"


def test_the_picture_has_a_bar_for_each_service_that_was_measured(report):
    assert report[1].count('class="bar') == 2
    assert "3,000" not in report[1] and "2,000" in report[1]


def test_the_summary_has_every_median(report):
    [ours] = [one for one in report[2] if one["service"] == "slipway" and one["load"] == "keep-alive"]
    assert ours["rate"] == {"median": 2000.0, "min": 1000.0, "max": 3000.0}


def test_the_page_has_the_settings_and_duties_that_the_code_has():
    command = [sys.executable, "-c", "from tables import duties; print(duties())"]
    ended = subprocess.run(command, env={"PYTHONPATH": str(FOLDER)}, capture_output=True, text=True, check=True)
    page = (FOLDER.parents[1] / "docs" / "serving-compared.md").read_text()
    assert ended.stdout.partition("\n\n")[2].strip() in page
