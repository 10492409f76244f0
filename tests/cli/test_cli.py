import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import ROWS, files, make_bundle
from conftest import Result
from servers import DEADLINE, serve, start
from slipway import __version__
from slipway.cli import COMMANDS
from slipway.problem import load_problem
from slipway.serving.service import open_service
from slipway.store.local import LocalStore
from tables import charges, problem

SETTINGS = "name: regression\nsource: table.csv\ntarget: charges\n"


@pytest.fixture
def run(tmp_path, monkeypatch, run):
    """Call ``slipway`` in a folder with a problem file."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SLIPWAY_")] + ["PORT"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLIPWAY_PROBLEM", "slipway.yaml")  # serve sets it for its workers: what it leaves is undone
    (tmp_path / "slipway.yaml").write_text(SETTINGS)
    return run


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


def assert_one_line(result: Result, code: int, says: str) -> None:
    assert result.code == code
    assert result.out == ""
    assert re.fullmatch(rf"slipway: .*{says}.*\n", result.err), result.err


def test_help_names_every_command_and_the_exit_codes(run):
    result = run("--help")
    assert result.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w", result.out, re.MULTILINE)
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f" {code} " in result.out or f"\n{code} " in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(run, name):
    for option in ("--help", "-h"):
        result = run(name, option)
        assert result.code == 0
        assert "Example:" in result.out and f"slipway {name}" in result.out.split("Example:")[1]


def test_version(run):
    assert run("--version").out == f"slipway, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("trian",), "No such command 'trian'"),
        (("train", "--fast"), "No such option"),
        (("promote",), "Missing argument"),
        (("serve", "--port", "0"), "Invalid value"),
        (("serve", "--port", "http"), "Invalid value"),
        (("init", "table.csv"), "Missing option"),
        (("sample", "cats", "x.csv"), "Invalid value"),
    ],
)
def test_wrong_usage(run, arguments, says):
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert says in result.err and "Traceback" not in result.err


@pytest.mark.parametrize(
    "command",
    [
        ("train",),
        ("status",),
        ("serve",),
        ("rollback",),
        ("promote", "a" * 12),
        ("check", "x"),
    ],
)
def test_a_wrong_problem_file_is_one_line(run, tmp_path, command):
    (tmp_path / "slipway.yaml").write_text(SETTINGS + "trget: x\n")
    assert_one_line(run(*command), 3, "slipway.yaml: trget: no such setting. Did you mean target?")
    (tmp_path / "slipway.yaml").unlink()
    assert_one_line(run(*command), 3, "slipway.yaml: there is no such file. Write one with: slipway init")
    assert_one_line(run(*command, "--problem", "other.yaml"), 3, "other.yaml: there is no such file")


@pytest.mark.parametrize(
    "content, says",
    [
        (None, "table.csv.*no such file"),
        ("", "table.csv"),
        ("age,bmi\n1,2\n", "charges"),
        ("age,charges\n1,2\n3\n", "table.csv, line 3"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(run, tmp_path, content, says):
    if content is not None:
        (tmp_path / "table.csv").write_text(content)
    result = run("train")
    assert (result.code, result.out) == (4, "")
    assert re.search(rf"^slipway: .*{says}.*\n\Z", result.err, re.MULTILINE), result.err
    assert "Traceback" not in result.err


NO_CHAMPION = "artifacts/champion.json: no champion yet. Run slipway train first; commit the file to release it"


@pytest.mark.parametrize(
    "command, says",
    [
        (("promote", "abc"), "at least 6"),
        (("promote", "abcdef"), "no such bundle"),
        (("rollback",), "has no earlier champion"),
        (("serve",), NO_CHAMPION),
        (("predict", "table.csv", "-o", "out.csv"), NO_CHAMPION),
    ],
)
def test_an_empty_store(run, command, says):
    assert_one_line(run(*command), 5, says)


def test_the_build_of_an_image_says_the_same_without_a_champion(tmp_path):
    program = ("-m", "slipway.store.bake", "artifacts", "release")
    done = subprocess.run([sys.executable, *program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.endswith(f"{NO_CHAMPION}\n"), done.stderr


def test_a_traceback_only_on_request(run):
    assert "Traceback" not in run("rollback").err
    result = run("--debug", "rollback")
    assert result.code == 5
    assert "Traceback" in result.err and "StoreError" in result.err


def test_what_is_unexpected_is_one_line(run, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a surprise")

    monkeypatch.setattr("slipway.problem.load_problem", fail)
    assert_one_line(run("status"), 1, "unexpected RuntimeError: a surprise. Run it again with slipway --debug")
    with pytest.raises(RuntimeError):
        run("--debug", "status")


@pytest.mark.parametrize(("why", "says"), [((), "interrupted"), (("nothing is kept",), "interrupted: nothing is kept")])
def test_ctrl_c(run, monkeypatch, why, says):
    def interrupt(*_, **__):
        raise KeyboardInterrupt(*why)

    monkeypatch.setattr("slipway.problem.load_problem", interrupt)
    result = run("status")
    assert (result.code, result.err.strip()) == (130, f"slipway: {says}")


def test_status_promote_and_rollback(run, store):
    assert "none yet: run slipway train" in run("status").out
    one = make_bundle(store, "regression", promote=False).digest
    two = make_bundle(store, "regression", promote=False, weights=[[1.0], [1.0], [1.0], [1.0]]).digest
    for digest in (one, two):
        result = run("promote", digest[:12].upper())
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"{digest[:12]} is the champion. Commit artifacts/champion.json")
    shown = run("status").out
    assert f"champion  {two}" in shown and "files match the digest" in shown and "rmse 0.8" in shown
    assert run("rollback").out.startswith(f"{one[:12]} is the champion again")
    assert store.pointer().digest == one
    assert_one_line(run("rollback"), 5, "has no earlier champion. Choose one with slipway promote DIGEST")
    status = json.loads(run("status", "--json").out)
    assert status["champion"]["digest"] == one and status["champion"]["sound"] is True
    assert [entry["event"] for entry in status["journal"]] == ["promote", "promote", "rollback"]
    assert two in status["bundles"]


def test_a_champion_of_another_problem_is_shown_and_not_promoted(run, store):
    digest = make_bundle(store, "binary").digest
    assert "OF ANOTHER PROBLEM, binary" in run("status").out
    assert_one_line(run("promote", digest), 5, "belongs to the problem binary, not to regression. Run slipway train")
    for task in ("binary", "regression"):  # as a clone's journal has it
        store.promote(make_bundle(store, task, promote=False), "promote", "promoted by hand")
    assert_one_line(run("rollback"), 5, "belongs to the problem binary, not to regression. Run slipway train")


def test_a_damaged_champion_is_shown_and_not_served_or_promoted(run, store):
    bundle = make_bundle(store, "regression")
    (bundle.folder / "model.onnx").write_bytes(b"other")
    result = run("status")
    assert result.code == 0 and "DAMAGED" in result.out and "model.onnx" in result.out
    assert json.loads(run("status", "--json").out)["champion"]["sound"] is False
    assert_one_line(run("promote", bundle.digest), 5, "model.onnx")
    assert_one_line(run("serve"), 5, "model.onnx")


def test_a_champion_with_other_metrics_is_shown_and_not_served(run, store):
    """As a later version may write them; every byte is what its manifest says."""
    bundle = store.add("regression", files("regression") | {"metrics.json": b"{}"})
    store.promote(bundle, "promote", "promoted by hand")
    result = run("status")
    assert result.code == 0 and "DAMAGED" in result.out and "metrics.json: Object missing required field" in result.out
    assert_one_line(run("serve"), 5, "metrics.json: Object missing required field `metric`. Run slipway train")


def test_a_pointer_with_a_merge_conflict_is_one_line(run, store):
    make_bundle(store, "regression")
    (store.root / "champion.json").write_text("<<<<<<< HEAD\n")
    assert_one_line(run("status"), 5, "champion.json: not JSON.*Restore it from git, or run slipway train")


def test_verdicts_with_a_merge_conflict_are_told_and_stop_nothing(run, store, tmp_path):
    champion = make_bundle(store, "regression").digest
    served = problem(tmp_path, charges(), "charges", name="regression")
    (store.root / "verdict.json").write_text("<<<<<<< HEAD\n")
    assert "\nverdicts  UNREADABLE: " in run("status").out
    assert open_service(served, {}).digest == champion
    (tmp_path / "release").mkdir()
    bake = [sys.executable, "-m", "slipway.store.bake", "artifacts", "release"]
    done = subprocess.run(bake, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{champion}\n") and "without the verdicts: " in done.stderr
    assert not (tmp_path / "release" / "verdict.json").exists()


def test_train_tells_the_verdict_and_does_it_once(run, tmp_path):
    problem(tmp_path, charges(), "charges")
    result = run("train", "--jobs", "1")
    assert result.code == 0, result.err
    assert "Verdict: promoted" in result.out and "Next: slipway serve" in result.out
    assert re.search(r"^boosting +\d", result.out, re.MULTILINE) and re.search(r"^baseline +\d", result.out, re.MULTILINE)
    assert "\r" not in result.err and "\x1b" not in result.out + result.err, "not plain on a pipe"
    assert "Comparing: " in result.err
    assert "Verdict: promoted\n  there was no champion to compare with\n  rmse " in result.out
    assert "\npromoted  there was no champion to compare with\n          rmse " in run("status").out
    report = re.search(r"^Report:  (.*report\.html)$", result.out, re.MULTILINE)[1]
    assert "there was no champion to compare with" in Path(report).read_text(), "the verdict is joined"
    before = (tmp_path / "artifacts" / "champion.json").read_bytes()
    assert run("train", "--if-changed").out == "Nothing changed since the last training; the champion stays.\n"
    again = run("train", "--jobs", "1")
    assert again.code == 0 and "Verdict: kept" in again.out, "kept is a result, not an error"
    assert re.search(r"\nThe champion stays [0-9a-f]{12}: this training adds nothing to commit\.\n\Z", again.out)
    assert (tmp_path / "artifacts" / "champion.json").read_bytes() == before


def test_a_report_that_cannot_be_written_hides_no_verdict(run, tmp_path):
    problem(tmp_path, charges(), "charges", candidates=["linear"])
    (tmp_path / "artifacts" / "report.html").mkdir(parents=True)
    result = run("train", "--jobs", "1")
    assert result.code == 5 and "report.html: cannot be written" in result.err
    assert "Verdict: promoted" in result.out and "\nBundle:  " in result.out and "baseline" in result.out


def test_a_first_model_that_is_kept_can_be_served_anyway(run, store, tmp_path):
    frame = charges(120)
    problem(tmp_path, frame.assign(charges=frame["charges"].sample(frac=1, random_state=0).to_numpy()), "charges")
    result = run("train", "--jobs", "1")
    assert result.code == 0 and "Verdict: kept\n  there was no champion to compare with\n  rmse " in result.out
    command = re.search(r"\nNext: improve it, or serve it anyway: slipway (promote [0-9a-f]{12})\n\Z", result.out)[1]
    assert f"  to serve it anyway: slipway {command}\n" in result.out
    assert_one_line(run("serve"), 5, f"no champion yet. The gate kept the last model: .*: slipway {command}")
    assert store.journal.entries()[-1]["look"]["held"]["rows"] == store.journal.entries()[-1]["figures"]["rows"]
    assert run(*command.split()).code == 0 and store.pointer() is not None
    assert "no champion yet" not in run("status").out


def test_a_sample_is_written_once(run, tmp_path):
    assert run("sample", "insurance", "data/a.csv", "--rows", "20").code == 0
    written = (tmp_path / "data" / "a.csv").read_bytes()
    assert written.count(b"\n") == 21 and written.startswith(b"age,sex,bmi,children,smoker,region,charges\n")
    assert_one_line(run("sample", "insurance", "data/a.csv", "--rows", "20"), 4, "already exists. Add --force")
    assert "already exists" in run("sample", "insurance", "data/a.csv").out
    assert run("sample", "insurance", "data/a.csv", "--rows", "20", "--force").code == 0
    assert (tmp_path / "data" / "a.csv").read_bytes() == written


def test_serve_answers_and_tells_where_and_how_to_call_it(run, tmp_path, store):
    make_bundle(store, "regression")
    with serve(tmp_path, "-m", "slipway", "serve", "--workers", "1") as server:
        assert len(server.workers()) == 1
        assert server.call("POST", "/predict", ROWS[0])[0] == 200
        code, out, err = server.stop()
    first, call, end = err.split("\n")
    assert (code, first, end) == (0, f"Serving on http://localhost:{server.port} (Ctrl-C stops it)", "")
    program, address, *_, row = shlex.split(call.removeprefix("Try it: "))
    assert (program, address) == ("curl", f"http://localhost:{server.port}/predict")
    assert open_service(load_problem(tmp_path / "slipway.yaml")).decoder.decode(row.encode()).count == 1
    assert all(json.loads(line)["status"] == 200 for line in out.splitlines())


def test_serve_on_a_taken_port_is_one_line(run, tmp_path, store):
    make_bundle(store, "regression")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert_one_line(run("serve", "--port", str(port)), 6, f"cannot listen on 127.0.0.1:{port} .Address already in use")
        with start(tmp_path, "-m", "slipway", "serve", PORT=str(port)) as process:
            _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 6
    assert re.fullmatch(r"slipway: .*Address already in use.*slipway serve --port \d+, or make up PORT=\d+\n", err)


def test_a_closed_pipe_is_no_traceback(tmp_path):
    (tmp_path / "slipway.yaml").write_text(SETTINGS)
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    environ = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parents[2] / "src"))
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-u", "-m", "slipway", "status"],
        cwd=tmp_path,
        env=environ,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert "Traceback" not in done.stderr
