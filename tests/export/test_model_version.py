"""A bundle as a version of a registered model, against a stand-in for MLflow's client."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from slipway.errors import ProblemError, StoreError
from slipway.export.model_version import Version, register

ADDRESS = "http://user:secret@mlflow.example:5000"
FILES = {"MLmodel": b"flavors: {}\n", "code/slipway/__init__.py": b""}


class MlflowException(Exception):
    def __init__(self, message: str, error_code: str = "INTERNAL_ERROR") -> None:
        super().__init__(message)
        self.error_code = error_code


class Page(list):
    token = None


class Server:
    """What the client's calls find and leave; `refuses` names calls that fail, and what each raises."""

    def __init__(self) -> None:
        self.versions, self.runs, self.files, self.refuses = [], {}, set(), {}
        self.models, self.aliases = set(), {}
        self.tags_in_search = True

    def __getattr__(self, call: str):
        def made(*given, **named):
            if call in self.refuses:
                raise self.refuses[call]
            return getattr(self, f"_{call}")(*given, **named)

        if call.startswith("_"):
            raise AttributeError(call)
        return made

    def _search_model_versions(self, filter_string, max_results, page_token):
        at = int(page_token or 0)
        page = Page(each if self.tags_in_search else bare(each) for each in self.versions[at : at + 1])  # pages of one
        page.token = str(at + 1) if at + 1 < len(self.versions) else None
        return page

    def _get_model_version(self, name, number):
        return next(each for each in self.versions if each.version == number)

    def _get_experiment_by_name(self, name):
        return None

    def _create_experiment(self, name):
        return f"experiment of {name}"

    def _create_run(self, experiment, tags, run_name):
        self.runs["run"] = SimpleNamespace(experiment=experiment, tags=tags, status="RUNNING", metrics={}, params={})
        return SimpleNamespace(info=SimpleNamespace(run_id="run", artifact_uri="mlflow-artifacts:/1/run/artifacts"))

    def _log_param(self, run, name, value):
        self.runs[run].params[name] = value

    def _log_metric(self, run, name, value):
        self.runs[run].metrics[name] = value

    def _log_artifacts(self, run, folder, path):
        self.files |= {f"{path}/{each.relative_to(folder).as_posix()}" for each in Path(folder).rglob("*") if each.is_file()}

    def _create_registered_model(self, name):
        if name in self.models:
            raise MlflowException("exists", "RESOURCE_ALREADY_EXISTS")
        self.models.add(name)

    def _create_model_version(self, name, source, run_id, tags, description):
        number = str(len(self.versions) + 1)
        made = SimpleNamespace(version=number, source=source, tags=dict(tags), description=description, status="READY")
        self.versions.append(made)
        return made

    def _set_terminated(self, run, status):
        self.runs[run].status = status

    def _set_model_version_tag(self, name, number, key, value):
        self._get_model_version(name, number).tags[key] = value

    def _set_registered_model_alias(self, name, alias, number):
        self.aliases[alias] = number


def bare(version: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(version=version.version, tags={}, status=version.status)


@pytest.fixture
def server(monkeypatch) -> Server:
    """The server that every client of a stand-in for MLflow speaks with."""
    made = Server()
    mlflow, exceptions = ModuleType("mlflow"), ModuleType("mlflow.exceptions")
    mlflow.__spec__ = ModuleSpec("mlflow", None)
    mlflow.MlflowClient, exceptions.MlflowException = lambda: made, MlflowException
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", exceptions)
    return made


def version(digest: str = "a" * 64, champion: bool = True) -> Version:
    tags = {"slipway.verdict": "promoted"}
    return Version("insurance", digest, champion, tags, {"rmse": 4.5}, {"candidates": "linear"}, "it is the first champion")


def registered(given: Version, **environ: str):
    done = register(given, FILES, {"MLFLOW_TRACKING_URI": ADDRESS} | environ)
    return done.number, done.new, done.without_alias


def test_a_new_digest_becomes_a_version_with_its_run_and_the_alias(server):
    assert registered(version()) == ("1", True, "")
    (made,) = server.versions
    assert made.source == "mlflow-artifacts:/1/run/artifacts/model"
    assert made.tags == {"slipway.digest": "a" * 64, "slipway.champion": "true", "slipway.verdict": "promoted"}
    assert made.description == "it is the first champion"
    run = server.runs["run"]
    assert (run.experiment, run.status) == ("experiment of insurance", "FINISHED")
    assert (run.metrics, run.params) == ({"rmse": 4.5}, {"candidates": "linear"})
    assert server.files == {"model/MLmodel", "model/code/slipway/__init__.py"}
    assert server.aliases == {"champion": "1"}


@pytest.mark.parametrize("tags_in_search", [True, False])
def test_the_same_digest_is_registered_once(server, tags_in_search):
    registered(version("b" * 64))
    registered(version())
    server.tags_in_search = tags_in_search
    server.runs.clear()
    assert registered(version("b" * 64)) == ("1", False, "")
    assert server.runs == {} and len(server.versions) == 2


def test_alias_and_tag_follow_the_champion_back_to_an_earlier_version(server):
    registered(version("b" * 64))
    registered(version())
    assert server.aliases == {"champion": "2"}
    registered(version("b" * 64))
    assert server.aliases == {"champion": "1"}
    assert [each.tags["slipway.champion"] for each in server.versions] == ["true", "false"]


def test_another_bundle_than_the_champion_gets_no_alias(server):
    registered(version())
    assert registered(version("c" * 64, champion=False)) == ("2", True, "")
    assert server.aliases == {"champion": "1"}
    assert [each.tags["slipway.champion"] for each in server.versions] == ["true", "false"]


def test_a_server_without_aliases_is_no_error(server):
    server.refuses["set_registered_model_alias"] = MlflowException("no such endpoint", "ENDPOINT_NOT_FOUND")
    assert registered(version()) == ("1", True, "no such endpoint")


def test_the_experiment_can_be_named(server):
    registered(version(), MLFLOW_EXPERIMENT_NAME="nightly")
    assert server.runs["run"].experiment == "experiment of nightly"


@pytest.mark.parametrize("call", ["log_artifacts", "create_registered_model", "create_model_version"])
def test_what_fails_half_way_leaves_a_failed_run_and_the_next_call_succeeds(server, call):
    server.refuses[call] = MlflowException("disk full")
    with pytest.raises(StoreError, match="was not registered .disk full"):
        registered(version())
    assert server.runs["run"].status == "FAILED" and server.versions == []
    server.refuses.clear()
    assert registered(version()) == ("1", True, "")


def test_a_version_whose_registration_broke_off_does_not_count(server):
    registered(version())
    server.versions[0].status = "FAILED_REGISTRATION"
    assert registered(version()) == ("2", True, "")


def test_a_server_that_refuses_to_search_an_unknown_model_gets_its_first_version(server):
    server.refuses["search_model_versions"] = MlflowException("no such model", "RESOURCE_DOES_NOT_EXIST")
    assert registered(version()) == ("1", True, "")


def test_an_error_is_told_without_the_password_of_the_address(server):
    says = f"API request to {ADDRESS}/api/2.0 failed\nwith more lines"
    server.refuses["search_model_versions"] = ConnectionError(says)
    with pytest.raises(StoreError) as caught:
        registered(version())
    assert caught.value.cause.startswith("http://mlflow.example:5000: the model was not registered")
    assert "secret" not in str(caught.value) and "run the same command again" in caught.value.cure


def test_without_a_server_or_mlflow_the_cure_is_told(monkeypatch):
    with pytest.raises(ProblemError, match="MLFLOW_TRACKING_URI is not set"):
        register(version(), FILES, {})
    monkeypatch.setattr("slipway.export.model_version.find_spec", lambda name: None)
    with pytest.raises(ProblemError, match=r"pip install 'slipway-ml\[mlflow\]'"):
        registered(version())
