"""A stand-in for MLflow's client and the server behind it, for tests of what is asked of them and what becomes of failures."""

import sys
from collections import Counter
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace

ALL = 3


class MlflowException(Exception):
    def __init__(self, message: str, error_code: str = "INTERNAL_ERROR") -> None:
        super().__init__(message)
        self.error_code = error_code


class Page(list):
    token = None


def page(found: list, token: object) -> Page:
    """Pages of one."""
    at = int(token or 0)
    made = Page(found[at : at + 1])
    made.token = str(at + 1) if at + 1 < len(found) else None
    return made


class Server:
    """What the client's calls find and leave; `refuses` names calls that fail, and what each raises."""

    def __init__(self) -> None:
        self.versions, self.runs, self.files, self.refuses = [], {}, {}, {}
        self.models, self.aliases, self.experiments = set(), {}, {"Default": "0"}
        self.tags_in_search, self.calls = True, Counter()
        self.identities = (f"run{number}" for number in count(1))

    def __getattr__(self, call: str):
        def made(*given, **named):
            self.calls[call] += 1
            if call in self.refuses:
                raise self.refuses[call]
            return getattr(self, f"_{call}")(*given, **named)

        if call.startswith("_"):
            raise AttributeError(call)
        return made

    def _get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def _create_experiment(self, name):
        return self.experiments.setdefault(name, f"experiment of {name}")

    def _search_experiments(self, max_results, page_token=None):
        return page([SimpleNamespace(experiment_id=each) for each in self.experiments.values()], page_token)

    def _search_runs(self, experiments, filter_string, run_view_type, max_results, page_token):
        assert run_view_type == ALL
        asked = dict(part.removeprefix("tags.`").split("` = ") for part in filter_string.split(" and "))
        runs = [run for run in self.runs.values() if all(run.data.tags.get(key) == asked[key][1:-1] for key in asked)]
        return page([each for each in runs if each.experiment in experiments], page_token)

    def _create_run(self, experiment, start_time, tags, run_name):
        identity = next(self.identities)
        info = SimpleNamespace(run_id=identity, artifact_uri=f"mlflow-artifacts:/1/{identity}/artifacts")
        info.lifecycle_stage, info.status, info.start_time, info.name = "active", "RUNNING", start_time, run_name
        data = SimpleNamespace(tags=dict(tags), params={}, metrics=[])
        self.runs[identity] = SimpleNamespace(info=info, data=data, experiment=experiment)
        return self.runs[identity]

    def _get_run(self, run):
        return self.runs[run]

    def _log_batch(self, run, metrics=(), params=(), tags=()):
        assert len([*metrics, *params, *tags]) <= 100 and self.runs[run].info.lifecycle_stage == "active"
        data = self.runs[run].data
        for key, value in params:
            assert data.params.setdefault(key, value) == value
        data.tags.update(tags)
        data.metrics += [each for each in metrics if each not in data.metrics]

    def _set_tag(self, run, key, value):
        self.runs[run].data.tags[key] = value

    def _log_artifacts(self, run, folder):
        paths = [each for each in Path(folder).rglob("*") if each.is_file()]
        self.files[run] = {each.relative_to(folder).as_posix(): each.read_bytes() for each in paths}

    def _set_terminated(self, run, status, end_time=None):
        info = self.runs[run].info
        info.status, info.end_time = status, end_time

    def _delete_run(self, run):
        self.runs[run].info.lifecycle_stage = "deleted"

    def _search_model_versions(self, filter_string, max_results, page_token=None):
        found = [each for each in self.versions if filter_string in (f"name='{each.name}'", f"run_id='{each.run_id}'")]
        return page([each if self.tags_in_search else bare(each) for each in found], page_token)

    def _get_model_version(self, name, number):
        return next(each for each in self.versions if (each.name, each.version) == (name, number))

    def _create_registered_model(self, name):
        if name in self.models:
            raise MlflowException("exists", "RESOURCE_ALREADY_EXISTS")
        self.models.add(name)

    def _create_model_version(self, name, source, run_id, tags, description):
        number = str(max((int(each.version) for each in self.versions if each.name == name), default=0) + 1)
        made = SimpleNamespace(name=name, version=number, source=source, tags=dict(tags), status="READY")
        made.description, made.run_id = description, run_id
        self.versions.append(made)
        return made

    def _delete_model_version(self, name, number):
        self.versions.remove(self._get_model_version(name, number))

    def _set_model_version_tag(self, name, number, key, value):
        self._get_model_version(name, number).tags[key] = value

    def _set_registered_model_alias(self, name, alias, number):
        self.aliases[alias] = number


def bare(version: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(version=version.version, tags={}, status=version.status)


def modules(server: Server) -> dict[str, ModuleType]:
    """The modules of MLflow, by name, whose every client speaks with this server."""
    mlflow, exceptions, entities = (ModuleType(name) for name in ("mlflow", "mlflow.exceptions", "mlflow.entities"))
    mlflow.__spec__ = ModuleSpec("mlflow", None)
    mlflow.MlflowClient, exceptions.MlflowException = lambda: server, MlflowException
    entities.Metric = entities.Param = entities.RunTag = lambda *given: given
    entities.ViewType = SimpleNamespace(ALL=ALL)
    return {"mlflow": mlflow, "mlflow.exceptions": exceptions, "mlflow.entities": entities}


def installed(monkeypatch, server: Server) -> Server:
    """The server, with MLflow standing in its place until the test ends."""
    for name, module in modules(server).items():
        monkeypatch.setitem(sys.modules, name, module)
    return server
