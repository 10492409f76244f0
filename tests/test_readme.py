"""What the README tells a person to do works as it stands there."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from servers import serve
from slipway.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = [line for block in re.findall("```sh\n(.*?)```", README, re.S) for line in block.replace("\\\n", "").splitlines()]
OWN_TABLE = [line for line in SHELL if re.match("slipway (?!new|upgrade)", line)]


def without_code(text: str) -> str:
    return re.sub("```.*?```|`[^`\n]*`", "", text, flags=re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", without_code(page.read_text(encoding="utf-8")))
    local = [link for link in links if not re.match("[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    told = {name for page in PAGES for name in re.findall(r"^ *make (\w+)|`make (\w+)", page.read_text(), re.M)}
    names = {first or second for first, second in told}
    assert names >= {"up", "test"}
    assert [name for name in names if not re.search(f"^{name}:", makefile, re.M)] == []


def test_commands_exist():
    told = set(re.findall(r"`slipway (\w+)", README)) | set(re.findall(r"^slipway (\w+)", "\n".join(SHELL), re.M))
    assert {"new", "upgrade", "init", "train", "serve", "check", "status", "promote", "rollback"} <= told
    assert told <= set(COMMANDS)


def slipway(line: str, folder: Path) -> str:
    usual = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(line)],
        cwd=folder,
        env=usual | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_three_commands_lead_from_a_table_to_an_answer(tmp_path):
    slipway("slipway sample insurance table.csv --rows 200", tmp_path)
    init, train, last = OWN_TABLE
    assert last == "slipway serve"
    assert "slipway train" in slipway(init, tmp_path)
    assert "promoted" in slipway(train, tmp_path)
    with serve(tmp_path, "-m", *shlex.split(last)) as server:
        status, answer = server.call("POST", "/predict", rows_of_the_example())
    assert status == 200, answer
    assert json.loads(answer)["prediction"] > 0


def rows_of_the_example() -> dict:
    [curl] = [line for line in SHELL if line.startswith("curl")]
    arguments = shlex.split(curl)
    return json.loads(arguments[arguments.index("-d") + 1])


def test_the_tutorials_lines_are_there():
    assert SHELL[-4:] == [
        "pip install -r requirements.txt",
        "python app.py",
        "gunicorn --workers=4 --bind 0.0.0.0:$PORT app:app",
        "docker build -t x . && docker run -p 8080:8080 x",
    ]
    assert (ROOT / "Procfile").read_text() == "web: gunicorn --bind 0.0.0.0:$PORT app:app\n"
