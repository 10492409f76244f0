"""Trainings as runs and versions of MLflow, against a stand-in for its client."""

import shutil

import pytest

from bundles import make_bundle
from mlflow_client import MlflowException, Server, installed
from slipway.errors import BundleError, StoreError
from slipway.export.run_log import Logged, log_trainings
from slipway.export.tracking_server import connected
from slipway.export.training_run import Training, contents_of
from slipway.problem import read_problem
from slipway.store.local import LocalStore

ADDRESS = "http://user:secret@mlflow.example:5000"
OTHER = [[1.0], [2.0], [3.0], [4.0]]


@pytest.fixture
def server(monkeypatch) -> Server:
    return installed(monkeypatch, Server())


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


def entry(digest: str, at: str = "2026-11-23T05:00:00+00:00", outcome: str = "promoted") -> dict:
    reasons = ["it is the first champion", "it is better"]
    said = {"at": at, "who": "ann@desk", "event": "verdict", "problem": "regression", "digest": digest, "champion": None}
    return said | {"outcome": outcome, "reasons": reasons, "latency_us": 12.5}


def logged(store: LocalStore, *trainings: Training, name: str = "", crowns: bool = True, **environ: str):
    problem = read_problem("name: regression\nsource: table.csv\ntarget: charges\n", store.root.parent / "slipway.yaml", {})
    with connected(problem.name, {"MLFLOW_TRACKING_URI": ADDRESS} | environ) as server:
        return log_trainings(server, problem, store, trainings, name, crowns)


def training(store: LocalStore, at: str = "2026-11-23T05:00:00+00:00", here: bool = False, **changes) -> Training:
    digest = make_bundle(store, "regression", **changes).digest
    return Training(digest, entry(digest, at), here, {"slipway.commit": "c" * 40} if here else {})


def test_a_training_becomes_a_run_and_its_bundle_a_version_with_the_alias(server, store):
    one = training(store)
    done = logged(store, one)
    assert (done.runs, done.number, done.new, done.without_alias) == (("run1",), "1", True, "")
    run = server.runs["run1"]
    assert (run.experiment, run.info.status, run.info.name) == (
        "experiment of regression",
        "FINISHED",
        f"{one.digest[:12]} promoted",
    )
    tags = run.data.tags
    assert tags["slipway.digest"] == one.digest and tags["slipway.judged"] == one.judged
    assert tags["slipway.verdict"] == "promoted" and tags["mlflow.user"] == "ann@desk"
    assert tags["slipway.reasons"] == "it is the first champion; it is better"
    (made,) = server.versions
    assert (made.name, made.source, made.run_id) == ("regression", "mlflow-artifacts:/1/run1/artifacts/model", "run1")
    assert made.description == "it is the first champion; it is better"
    assert {key: made.tags[key] for key in ("slipway.digest", "slipway.champion", "slipway.stage")} == {
        "slipway.digest": one.digest,
        "slipway.champion": "true",
        "slipway.stage": "Production",
    }
    assert server.aliases == {"champion": "1"}
    names = server.files["run1"]
    assert {"report.html", "card.md", "evaluation.json", "verdict.json", "model/MLmodel", "curves/importance.csv"} <= set(
        names
    )


def test_a_run_lasts_as_long_as_its_training_also_one_that_breaks_off(server, store):
    one = training(store)
    timed = Training(one.digest, dict(one.said) | {"seconds": 90.25})
    server.refuses["log_artifacts"] = MlflowException("disk full")
    with pytest.raises(StoreError):
        logged(store, timed)
    info = server.runs["run1"].info
    assert (info.status, info.end_time - info.start_time) == ("FAILED", 90_250)
    server.refuses.clear()
    logged(store, timed)
    assert (info.status, info.end_time - info.start_time, info.end_time) == ("FINISHED", 90_250, timed.ended)


@pytest.mark.parametrize("tags_in_search", [True, False])
def test_the_same_training_is_one_run_and_the_same_digest_one_version(server, store, tags_in_search):
    server.tags_in_search = tags_in_search
    first = training(store)
    logged(store, first)
    assert logged(store, first).runs == ()
    again = Training(first.digest, entry(first.digest, "2026-11-24T05:00:00+00:00", "kept"))
    done = logged(store, first, again)
    assert (done.runs, done.number, done.new) == (("run2",), "1", False)
    assert len(server.versions) == 1 and server.runs["run2"].data.tags["slipway.verdict"] == "kept"


def test_alias_and_tags_follow_the_champion_back_to_an_earlier_version(server, store):
    first = training(store)
    second = training(store, "2026-11-24T05:00:00+00:00", weights=OTHER)
    logged(store, first, second)
    assert server.aliases == {"champion": "2"}
    make_bundle(store, "regression")  # the pointer goes back
    assert logged(store, first, second).runs == () and server.aliases == {"champion": "1"}
    assert [each.tags["slipway.champion"] for each in server.versions] == ["true", "false"]
    assert [each.tags["slipway.stage"] for each in server.versions] == ["Production", "Archived"]


def test_a_model_that_was_kept_is_a_version_without_alias_or_stage(server, store):
    champion, kept = training(store), training(store, "2026-11-24T05:00:00+00:00", weights=OTHER, promote=False)
    logged(store, champion, kept)
    assert server.aliases == {"champion": "1"}
    assert [each.tags["slipway.stage"] for each in server.versions] == ["Production", "None"]


def test_a_server_without_aliases_is_no_error(server, store):
    server.refuses["set_registered_model_alias"] = MlflowException("no such endpoint", "ENDPOINT_NOT_FOUND")
    assert logged(store, training(store)).without_alias == "no such endpoint"


def test_why_there_is_no_alias_is_told_without_the_password(server, store):
    says = f"API request to {ADDRESS}/api/2.0/mlflow/registered-models/alias failed with exception refused"
    server.refuses["set_registered_model_alias"] = MlflowException(says)
    assert logged(store, training(store)).without_alias == says.replace("user:secret@", "")


def test_another_model_name_has_versions_of_its_own_from_the_same_run(server, store):
    one = training(store)
    logged(store, one)
    done = logged(store, one, name="insurance")
    assert (done.number, done.new) == ("1", True) and list(server.runs) == ["run1"]
    assert [(each.name, each.run_id) for each in server.versions] == [("regression", "run1"), ("insurance", "run1")]
    assert not logged(store, one, name="insurance").new


STEPS = ["log_batch", "log_artifacts", "create_registered_model", "create_model_version", "set_tag"]


@pytest.mark.parametrize("call", STEPS)
def test_what_breaks_off_is_completed_in_the_same_run(server, store, call):
    one = training(store)
    server.refuses[call] = MlflowException("disk full")
    with pytest.raises(StoreError, match=r"the call to MLflow failed .disk full"):
        logged(store, one)
    server.refuses.clear()
    assert logged(store, one).runs == ("run1",)
    assert list(server.runs) == ["run1"] and server.runs["run1"].info.status == "FINISHED" and len(server.versions) == 1
    assert logged(store, one).runs == ()


def test_a_run_that_breaks_off_is_marked_as_failed(server, store):
    server.refuses["log_artifacts"] = MlflowException("disk full")
    with pytest.raises(StoreError):
        logged(store, training(store))
    assert server.runs["run1"].info.status == "FAILED"


def test_a_version_whose_registration_broke_off_does_not_count(server, store):
    one = training(store)
    logged(store, one)
    server.versions[0].status = "FAILED_REGISTRATION"
    assert (logged(store, one).number, len(server.versions)) == ("2", 2)


def test_a_server_that_refuses_to_search_an_unknown_model_gets_its_first_version(server, store, monkeypatch):
    refusal = MlflowException("no such model", "RESOURCE_DOES_NOT_EXIST")
    there = server._search_model_versions

    def search(*given, **named):
        if not server.versions:
            raise refusal
        return there(*given, **named)

    monkeypatch.setattr(server, "_search_model_versions", search)
    assert logged(store, training(store)).number == "1"


def test_runs_and_versions_that_somebody_deleted_stay_away_but_the_champion_comes_back(server, store):
    kept, champion = training(store, promote=False, weights=OTHER), training(store, "2026-11-24T05:00:00+00:00")
    logged(store, kept, champion)
    for run in server.runs.values():
        run.info.lifecycle_stage = "deleted"
    server.versions.clear()
    assert logged(store, kept, champion).runs == ("run3",)
    assert [each.tags["slipway.digest"] for each in server.versions] == [champion.digest]


def test_a_bundle_that_is_gone_or_damaged_is_left_out_and_told(server, store):
    gone, damaged, there = Training("f" * 64, entry("f" * 64)), training(store, weights=OTHER), training(store)
    (store.bundles / damaged.digest / "model.onnx").write_bytes(b"")
    done = logged(store, gone, damaged, there)
    assert done.absent == (gone.digest, damaged.digest) and done.runs == ("run1",)


def test_what_is_logged_needs_no_bundle_any_more(server, store):
    """CI has the champion's bundle alone, and the journal knows thousands of others."""
    first, champion = training(store, promote=False, weights=OTHER), training(store, "2026-11-24T05:00:00+00:00")
    logged(store, first, champion)
    shutil.rmtree(store.bundles)
    assert logged(store, first, champion) == Logged(number="2")


def test_the_runs_of_other_bundles_are_not_asked_for_to_log_one(server, store, monkeypatch):
    first, second = training(store, promote=False, weights=OTHER), training(store, "2026-11-24T05:00:00+00:00")
    asked = []
    there = server._search_runs
    monkeypatch.setattr(server, "_search_runs", lambda *given, **named: asked.append(named) or there(*given, **named))
    logged(store, first)
    logged(store, first, second)
    assert [first.digest in each["filter_string"] for each in asked] == [True, True, False, False]


def test_versions_are_listed_once_however_many_are_made(server, store):
    trainings = [training(store, weights=[[1.0], [2.0], [3.0], [4.0 + each]]) for each in range(3)]
    logged(store, *trainings)
    assert len(server.versions) == 3 and server.calls["search_model_versions"] == 1 + 3  # before; after, in pages of one


def meanwhile(monkeypatch, server, call: str, do) -> None:
    """Let another process do something before a call of this one, once."""
    made, left = getattr(server, f"_{call}"), [do]

    def called(*given, **named):
        if left:
            left.pop()()
        return made(*given, **named)

    monkeypatch.setattr(server, f"_{call}", called)


def active(server) -> list[str]:
    return [name for name, run in server.runs.items() if run.info.lifecycle_stage == "active"]


@pytest.mark.parametrize("theirs, mine", [("run1", "run2"), ("run2", "run1")])
def test_two_processes_that_log_a_training_at_once_leave_one_run_and_one_version(server, store, monkeypatch, theirs, mine):
    one, others, server.identities = training(store), [], iter([theirs, mine])
    meanwhile(monkeypatch, server, "create_run", lambda: others.append(logged(store, one)))
    done = logged(store, one)
    assert others == [Logged((theirs,), "1", True)] and active(server) == [theirs] == [server.versions[0].run_id]
    assert done == Logged((), "1", doubles=(mine,))
    assert [each.version for each in server.versions] == ["1"] and server.aliases == {"champion": "1"}
    assert logged(store, one).runs == () and len(server.runs) == 2


@pytest.mark.parametrize("theirs, mine", [("run2", "run3"), ("run3", "run2")])
def test_of_two_runs_of_a_digest_that_has_a_version_one_stays(server, store, monkeypatch, theirs, mine):
    first = training(store)
    logged(store, first)
    again, server.identities = Training(first.digest, entry(first.digest, "2026-11-24T05:00:00+00:00")), iter([theirs, mine])
    meanwhile(monkeypatch, server, "create_run", lambda: logged(store, again))
    done = logged(store, again)
    assert active(server) == ["run1", "run2"] and done.doubles == ("run3",) and len(server.versions) == 1
    assert done.runs == (("run2",) if mine == "run2" else ())


def test_a_run_that_another_process_completes_meanwhile_gets_one_version(server, store, monkeypatch):
    one = training(store)
    meanwhile(monkeypatch, server, "log_artifacts", lambda: logged(store, one))
    done = logged(store, one)
    assert (done.runs, done.number, done.doubles) == (("run1",), "1", ())
    assert len(server.versions) == 1 and active(server) == ["run1"]


def test_of_two_runs_with_a_version_each_both_stay(server, store, monkeypatch):
    one = training(store)
    meanwhile(monkeypatch, server, "create_run", lambda: logged(store, one, name="insurance"))
    done = logged(store, one)
    assert active(server) == ["run1", "run2"] and (done.runs, done.number, done.doubles) == (("run2",), "1", ())


def test_a_run_of_mlflow_run_is_never_a_double(server, store, monkeypatch):
    one = training(store, here=True)
    given = server._create_run("0", 0, {}, "carefree-wren").info.run_id
    other = Training(one.digest, one.said)
    meanwhile(monkeypatch, server, "get_run", lambda: logged(store, other))
    done = logged(store, one, MLFLOW_RUN_ID=given, MLFLOW_EXPERIMENT_ID="0")
    assert active(server) == [given, "run2"] and (done.runs, done.doubles) == ((given,), ())
    assert [each.run_id for each in server.versions] == ["run2"]


def test_a_run_of_mlflow_run_that_has_ended_is_no_double_either(server, store, monkeypatch):
    first = training(store)
    logged(store, first)
    said = entry(first.digest, "2026-11-24T05:00:00+00:00")
    given = server._create_run("0", 0, {"mlflow.source.type": "PROJECT"}, "carefree-wren").info.run_id

    def project():
        logged(store, Training(first.digest, said, True), MLFLOW_RUN_ID=given, MLFLOW_EXPERIMENT_ID="0")
        server._set_terminated(given, "FINISHED")

    meanwhile(monkeypatch, server, "create_run", project)
    done = logged(store, Training(first.digest, said), MLFLOW_EXPERIMENT_ID="0")
    assert active(server) == ["run1", given] and done.doubles == ("run3",)


@pytest.mark.parametrize("has", ["theirs", "mine"])
def test_of_two_runs_the_one_that_knows_the_commit_stays(server, store, monkeypatch, has):
    first = training(store)
    logged(store, first)
    said, known = entry(first.digest, "2026-11-24T05:00:00+00:00"), {"slipway.commit": "c" * 40}
    theirs, mine = (Training(first.digest, said, tags=known if has == whose else {}) for whose in ("theirs", "mine"))
    meanwhile(monkeypatch, server, "create_run", lambda: logged(store, theirs))
    logged(store, mine)
    [left] = {*active(server)} - {"run1"}
    assert server.runs[left].data.tags["slipway.commit"] == "c" * 40


def test_a_deleted_double_is_not_taken_for_the_run(server, store, monkeypatch):
    one = training(store)
    meanwhile(monkeypatch, server, "create_run", lambda: logged(store, one))
    logged(store, one)
    server.versions.clear()
    assert (logged(store, one).number, server.versions[0].run_id, active(server)) == ("1", "run1", ["run1"])


def test_the_alias_and_its_tags_can_stay_with_another_version(server, store):
    logged(store, training(store))
    second = training(store, "2026-11-24T05:00:00+00:00", weights=OTHER)
    assert logged(store, second, crowns=False).number == "2" and server.aliases == {"champion": "1"}
    assert [each.tags["slipway.champion"] for each in server.versions] == ["true", "false"]
    assert [each.tags["slipway.stage"] for each in server.versions] == ["Production", "None"]


def test_a_document_that_does_not_read_stops_no_later_training(server, store, monkeypatch):
    unread, after = training(store, promote=False, weights=OTHER), training(store, "2026-11-24T05:00:00+00:00")

    def refuse(bundle, *given):
        if bundle.digest == unread.digest:
            raise BundleError("metrics.json: not valid")
        return contents_of(bundle, *given)

    monkeypatch.setattr("slipway.export.run_log.contents_of", refuse)
    done = logged(store, unread, after)
    assert (done.absent, len(done.runs)) == ((unread.digest,), 1)


def test_the_experiment_can_be_named_and_a_run_is_found_in_any(server, store):
    one = training(store)
    logged(store, one, MLFLOW_EXPERIMENT_NAME="nightly")
    assert server.runs["run1"].experiment == "experiment of nightly"
    assert logged(store, one).runs == ()


class TestWithinMlflowRun:
    """mlflow run begins a run, and ends it when its program ends."""

    @pytest.fixture
    def given(self, server) -> dict[str, str]:
        run = server._create_run("0", 0, {"mlflow.user": "root"}, "carefree-wren")
        return {"MLFLOW_RUN_ID": run.info.run_id, "MLFLOW_EXPERIMENT_ID": "0"}

    def test_the_training_is_logged_in_that_run(self, server, store, given):
        assert logged(store, training(store, here=True), **given).runs == ("run1",)
        run = server.runs["run1"]
        assert run.info.status == "RUNNING" and run.data.tags["slipway.commit"] == "c" * 40
        assert run.data.tags["mlflow.user"] == "root" and list(server.experiments) == ["Default"]

    def test_what_breaks_off_there_is_completed_there(self, server, store, given):
        one = training(store, here=True)
        server.refuses["log_artifacts"] = MlflowException("disk full")
        with pytest.raises(StoreError):
            logged(store, one, **given)
        server.refuses.clear()
        assert logged(store, Training(one.digest, one.said)).runs == ("run1",)

    def test_a_second_training_of_the_same_program_gets_a_run_of_its_own(self, server, store, given):
        logged(store, training(store, here=True), **given)
        second = training(store, "2026-11-24T05:00:00+00:00", here=True, weights=OTHER)
        assert logged(store, second, **given).runs == ("run2",)

    def test_what_is_caught_up_with_does_not_go_there(self, server, store, given):
        assert logged(store, training(store), **given).runs == ("run2",)
