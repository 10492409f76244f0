"""`slipway train` and `slipway push` with a tracking server: what is logged, and that nothing depends on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import slipway
from bundles import make_bundle
from mlflow_client import Server, installed
from slipway.store.journal import to_line
from slipway.store.local import LocalStore
from tables import charges, problem

ADDRESS = "http://user:secret@mlflow.example:5000"
PROBLEM = "name: {}\nsource: table.csv\ntarget: charges\n"
ALONE = """
import sys
from slipway.cli import main
sys.argv = ["slipway", "train", "--jobs", "1"]
main()
assert not [name for name in sys.modules if name.startswith(("mlflow", "slipway.export"))]
"""


@pytest.fixture
def server(tmp_path, monkeypatch) -> Server:
    """A stand-in for the server that the environment names, in a folder for a problem."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESS)
    monkeypatch.delenv("SLIPWAY_LOG", raising=False)
    return installed(monkeypatch, Server())


@pytest.fixture
def trainable(tmp_path) -> LocalStore:
    problem(tmp_path, charges(), "charges", candidates=["linear"])
    return LocalStore(tmp_path / "artifacts")


@pytest.fixture
def store(tmp_path) -> LocalStore:
    """A champion of which the journal says that it was trained."""
    (tmp_path / "slipway.yaml").write_text(PROBLEM.format("regression"))
    store = LocalStore(tmp_path / "artifacts")
    judged(store, make_bundle(store, "regression", promote=False).digest)
    return store


def judged(store: LocalStore, digest: str, outcome: str = "promoted", at: str = "2026-11-23T05:00:00+00:00") -> None:
    said = {"at": at, "who": "ann@desk", "event": "verdict", "problem": "regression", "digest": digest, "champion": None}
    store.decide(said | {"outcome": outcome, "reasons": ["for the test"]})


def test_without_the_variable_a_training_imports_nothing_of_mlflow(tmp_path, trainable):
    (tmp_path / "path" / "mlflow").mkdir(parents=True)
    (tmp_path / "path" / "mlflow" / "__init__.py").write_text("raise AssertionError('imported')")
    environ = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environ["PYTHONPATH"] = f"{Path(slipway.__file__).parent.parent}{os.pathsep}{tmp_path / 'path'}"
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Verdict: promoted" in done.stdout and "MLflow" not in done.stdout + done.stderr


def test_a_training_is_logged_with_what_the_bundle_cannot_know(run, server, trainable, monkeypatch):
    monkeypatch.setenv("SLIPWAY_WHY", "the loss has risen")
    done = run("train", "--jobs", "1")
    assert done.code == 0 and done.out.endswith("MLflow:  run run1 in http://mlflow.example:5000, version 1 of trial\n")
    found = server.runs["run1"].data
    noted = trainable.journal.entries()[-1]
    assert found.tags["slipway.judged"] == noted["at"] and found.tags["mlflow.user"] == noted["who"]
    assert found.tags["slipway.why"] == "the loss has risen" and found.tags["mlflow.source.name"] == "slipway train"
    assert found.params["settings/candidates"] == "linear"
    figures = {each[0]: each[1] for each in found.metrics}
    assert figures["latency_us"] == noted["latency_us"] and {"rmse", "rmse_baseline", "cv/linear"} <= set(figures)
    assert run("push").out == "MLflow: 0 new runs in http://mlflow.example:5000.\n"


def test_the_champion_that_is_trained_again_brings_the_training_that_made_it_one(run, server, trainable, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    run("train", "--jobs", "1")
    [first], journal = trainable.journal.entries(), trainable.journal.path
    journal.write_bytes(to_line(first | {"at": "2026-01-01T05:00:00+00:00"}))  # two in one second would be one
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESS)
    done = run("train", "--jobs", "1")
    assert done.out.endswith("MLflow:  run run2 in http://mlflow.example:5000, version 1 of trial\n")
    assert [each.data.tags["slipway.verdict"] for each in server.runs.values()] == ["promoted", "kept"]
    assert server.versions[0].run_id == "run1" and server.versions[0].tags["slipway.verdict"] == "promoted"


def test_a_server_that_is_away_changes_nothing_and_push_catches_up(run, server, trainable):
    server.refuses["get_experiment_by_name"] = ConnectionError("refused")
    done = run("train", "--jobs", "1")
    assert done.code == 0 and "Verdict: promoted" in done.out and done.out.endswith("Next: slipway serve\n")
    assert done.err.splitlines()[-1] == (
        "slipway: http://mlflow.example:5000: the call to MLflow failed (refused). The training is in the store; "
        "slipway push logs it later. Check MLFLOW_TRACKING_URI and the login"
    )
    server.refuses.clear()
    assert run("push").out == "MLflow: 1 new run in http://mlflow.example:5000.\n"
    assert server.runs["run1"].data.tags["slipway.digest"] == trainable.pointer().digest and server.aliases == {
        "champion": "1"
    }


def test_ctrl_c_while_a_slow_server_is_waited_for_does_not_fail_the_training(run, server, trainable):
    server.refuses["log_artifacts"] = KeyboardInterrupt()
    done = run("train", "--jobs", "1")
    assert done.code == 0 and "Verdict: promoted" in done.out
    assert done.err.splitlines()[-1] == (
        "slipway: interrupted, MLflow lacks this training. The training is in the store; slipway push logs it later"
    )
    assert server.runs["run1"].info.status == "FAILED"
    server.refuses.clear()
    assert run("push").out == "MLflow: 1 new run in http://mlflow.example:5000.\n" and list(server.runs) == ["run1"]


def test_without_mlflow_a_training_says_what_to_install(run, server, trainable, monkeypatch):
    monkeypatch.setattr("slipway.export.tracking_server.find_spec", lambda name: None)
    done = run("train", "--jobs", "1")
    says = "slipway: MLflow is not installed. pip install 'slipway-ml[mlflow]', or pip install mlflow-skinny"
    assert (done.code, done.err.splitlines()[-1]) == (0, says)


def test_an_error_of_the_logging_itself_does_not_fail_a_training(run, server, trainable, monkeypatch):
    monkeypatch.setattr("slipway.export.run_log.contents_of", lambda *given: 1 / 0)
    done = run("train", "--jobs", "1")
    assert done.code == 0 and "(division by zero)" in done.err.splitlines()[-1]


def test_push_logs_all_trainings_the_oldest_first_without_a_remote(run, server, store):
    kept = make_bundle(store, "regression", promote=False, weights=[[1.0], [2.0], [3.0], [4.0]])
    judged(store, kept.digest, "kept", "2026-11-24T05:00:00+00:00")
    judged(store, "f" * 64, "kept", "2026-11-25T05:00:00+00:00")
    code, out, err = run("push")
    assert (code, out) == (0, "MLflow: 2 new runs in http://mlflow.example:5000.\n")
    assert err == f"Not logged: 1 bundle absent or damaged in {store.bundles} (ffffffffffff)\n"
    assert [each.data.tags["slipway.verdict"] for each in server.runs.values()] == ["promoted", "kept"]
    assert server.aliases == {"champion": "1"}


def test_thousands_of_bundles_that_are_elsewhere_are_a_line(run, server, store):
    kept = {"event": "verdict", "problem": "regression", "outcome": "kept"}
    with store.journal.path.open("ab") as file:
        file.writelines(to_line(kept | {"digest": f"{number:064x}"}) for number in range(2_000))
    done = run("push")
    nought = "000000000000"
    which = f"({nought}, {nought}, {nought}, …)"
    assert (done.code, done.err) == (0, f"Not logged: 2,000 bundles absent or damaged in {store.bundles} {which}\n")
    assert len(server.runs) == 1


def test_on_another_branch_than_the_default_one_the_alias_stays(run, server, store, monkeypatch):
    run("push")
    second = make_bundle(store, "regression", promote=False, weights=[[1.0], [2.0], [3.0], [4.0]])
    judged(store, second.digest, at="2026-11-24T05:00:00+00:00")
    monkeypatch.setattr("slipway.store.checkout.Checkout.side_branch", lambda checkout: "feature/bmi")
    says = "The alias champion stays where it is: feature/bmi is not the default branch\n"
    for command in (("push",), ("export", "mlflow", "--register", "regression")):
        assert run(*command).err == says and server.aliases == {"champion": "1"}


def test_push_logs_a_champion_that_the_journal_does_not_know(run, server, store):
    (store.root / "journal.jsonl").unlink()
    assert run("push").code == 0
    assert server.runs["run1"].data.tags["slipway.judged"] == "2026-11-23T05:00:00+00:00"  # verdict.json knows it


def test_a_run_that_another_process_doubled_is_told(run, server, store):
    made, left = server._create_run, [lambda: run("push")]

    def late(*given, **named):  # another push comes first
        if left:
            left.pop()()
        return made(*given, **named)

    server._create_run = late
    done = run("push")
    says = "Another process logged the same training at the same moment: a second run, run2, was deleted\n"
    assert (done.code, done.out, done.err) == (0, "MLflow: 0 new runs in http://mlflow.example:5000.\n", says)


def test_after_a_rollback_the_next_push_moves_the_alias(run, server, store):
    first = store.pointer().digest
    second = make_bundle(store, "regression", promote=False, weights=[[1.0], [2.0], [3.0], [4.0]])
    judged(store, second.digest, at="2026-11-24T05:00:00+00:00")
    run("push")
    assert server.aliases == {"champion": "2"}
    assert run("rollback").code == 0 and store.pointer().digest == first
    run("push")
    assert server.aliases == {"champion": "1"} and len(server.runs) == 2


def test_push_does_both_and_a_failing_server_only_ends_it_with_a_code(run, server, store, bucket, tmp_path):
    (tmp_path / "slipway.yaml").write_text(PROBLEM.format("regression") + f"remote: {bucket.url}\n")
    server.refuses["log_artifacts"] = ConnectionError("refused")
    code, out, err = run("push")
    assert (code, out) == (5, f"{store.pointer().digest[:12]} is in {bucket.url}; 1 new in its journal.\n")
    assert "the call to MLflow failed (refused)" in err
    assert f"models/a/bundles/{store.pointer().digest}/manifest.json" in bucket.objects()
    server.refuses.clear()
    assert run("push").out.endswith("; 0 new in its journal.\nMLflow: 1 new run in http://mlflow.example:5000.\n")


def test_trainings_of_another_machine_are_known_from_the_remote_journal(run, server, store, bucket, tmp_path):
    (tmp_path / "slipway.yaml").write_text(PROBLEM.format("regression") + f"remote: {bucket.url}\n")
    server.refuses["get_experiment_by_name"] = ConnectionError("refused")
    run("push")
    (store.root / "journal.jsonl").unlink()
    server.refuses.clear()
    assert run("push").code == 0
    assert server.runs["run1"].data.tags["mlflow.user"] == "ann@desk"


def test_push_without_a_champion_logs_what_the_gate_kept(run, server, store):
    (store.root / "champion.json").unlink()
    assert run("push").out == "MLflow: 1 new run in http://mlflow.example:5000.\n"
    assert server.aliases == {}


def test_export_registers_under_another_name_from_the_run_of_the_training(run, server, store):
    run("push")
    for says in ("", " already"):
        done = run("export", "mlflow", "--register", "insurance")
        assert done.out == f"insurance version 1 is bundle {store.pointer().digest[:12]}{says}\n"
    assert list(server.runs) == ["run1"] and list(server.experiments) == ["Default", "regression"]


def test_a_damaged_bundle_is_not_registered(run, server, store):
    (store.bundles / store.pointer().digest / "model.onnx").write_bytes(b"")
    done = run("export", "mlflow", "--register", "insurance")
    assert done.code == 5 and "model.onnx" in done.err and server.versions == []
