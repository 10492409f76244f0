"""slipway.yaml → Problem. Strict: what is unknown or impossible is refused with its path and the cure."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from slipway.errors import ProblemError
from slipway.settings import EVERY_COLUMN, OBSOLETE, SETTINGS, Setting, override, variable_of

FILE = "slipway.yaml"
MONGODB = "mongodb"  # as the source: the collection that the section of this name tells
TASK_METRICS = {
    "regression": ("rmse", "mae", "r2"),
    "binary": ("roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "f1", "cost"),
    "multiclass": ("log_loss", "accuracy", "balanced_accuracy", "f1_macro"),
}


@dataclass(frozen=True)
class Costs:
    """What a wrong answer costs, in any unit."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True)
class Collection:
    """A MongoDB collection; `url` is the name of the variable that has the server's, `fields` has column → dotted path."""

    url: str
    database: str | None
    collection: str | None
    filter: Mapping[str, Any]
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Search:
    trials: int


@dataclass(frozen=True)
class Sampling:
    """How much of a large table training holds in memory."""

    cells: int


@dataclass(frozen=True)
class Data:
    """How many of the tables that trainings read are kept, and how many bytes of them."""

    keep: int
    max_bytes: int


@dataclass(frozen=True)
class Holdout:
    share: float
    salt: str | None


@dataclass(frozen=True)
class Gate:
    """What a challenger must reach; `minimum` and `minimum_gain` are in units of the metric."""

    minimum: float | None
    minimum_gain: float
    confidence: float


@dataclass(frozen=True)
class Serving:
    """How the service answers; sizes in bytes."""

    unknown_levels: str
    out_of_range: str
    max_rows: int
    max_body_bytes: int
    max_upload_bytes: int
    cors_origins: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """What slipway.yaml says; slipway.settings describes each setting."""

    name: str
    source: tuple[str, ...]
    fetch: tuple[str, ...] | None
    mongodb: Collection
    target: str
    positive: str | None
    task: str | None
    id: tuple[str, ...]
    drop: tuple[str, ...]
    types: Mapping[str, str]
    formats: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]]
    limits: Mapping[str, tuple[float | None, float | None]]
    metric: str | None
    costs: Costs | None
    candidates: tuple[str, ...]
    search: Search
    sample: Sampling
    data: Data
    holdout: Holdout
    gate: Gate
    remote: str | None
    seed: int
    serving: Serving
    folder: Path

    def markers(self, column: str) -> tuple[str, ...]:
        """Further texts that mean a missing cell in this column."""
        return (*self.missing.get(EVERY_COLUMN, ()), *self.missing.get(column, ()))


def default_metric(task: str, costs: Costs | None) -> str:
    """The metric of a problem that names none."""
    return {"regression": "rmse", "binary": "cost" if costs else "roc_auc", "multiclass": "log_loss"}[task]


def load_problem(path: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Problem:
    """Read and check a problem file.

    Parameters
    ----------
    path : path, optional
        By default ``SLIPWAY_PROBLEM``, else slipway.yaml in this folder.
    environ : mapping
        ``SLIPWAY_…`` variables in it override the file.

    Raises
    ------
    ProblemError
        Naming the file, the path of the setting, what was expected and the nearest valid key.
    """
    path = Path(path or environ.get("SLIPWAY_PROBLEM") or FILE)
    return read_problem(_content(path), path, environ)


def read_problem(content: str, path: Path, environ: Mapping[str, str]) -> Problem:
    """The same from the text of a file that is, or will be, at `path`."""
    values = _checked(_document(content, path), path)
    for name, cure in OBSOLETE.items():
        if environ.get(variable_of(name)):
            raise ProblemError(f"{variable_of(name)}: no longer a setting", cure)
    for setting in SETTINGS:
        value = environ.get(setting.variable)
        if value or value == "" and (setting.required or setting.default is not None):  # a workflow's unset ones are empty
            values[setting.path] = _read(setting, _overridden(setting, value), setting.variable)
    for setting in SETTINGS:
        if setting.required and setting.path not in values:
            raise ProblemError(f"{path}: {setting.path} is missing", setting.help)
    problem = _problem({each.path: values.get(each.path, each.default) for each in SETTINGS}, path)
    _check_together(problem, path)
    return problem


def _overridden(setting: Setting, value: str) -> Any:
    try:
        return override(setting, value)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date that does not exist
        raise ProblemError(f"{setting.variable}: expected {setting.kind.expected}") from error


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no text", key.start_mark)
            if key.value in seen:
                says = f"the key {key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, says, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        cure = "Write one with: slipway init TABLE.csv --target COLUMN"
        raise ProblemError(f"{path}: there is no such file", cure) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def _document(content: str, path: Path) -> Mapping:
    try:
        document = yaml.load(content, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProblemError(f"{path}, line {line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProblemError(f"{path}: not valid YAML ({type(error).__name__})") from error
    if not isinstance(document, Mapping):
        raise ProblemError(f"{path}: expected settings such as name, source and target, got {_kind_of(document)}")
    return document


def _checked(document: Mapping, path: Path) -> dict[str, Any]:
    """Values by path of setting."""
    known = {setting.path: setting for setting in SETTINGS}
    groups = {setting.path.partition(".")[0] for setting in SETTINGS if "." in setting.path}
    values = {}
    for key, value in document.items():
        group, _, inner = str(key).partition(".")
        if inner and group in groups:
            raise ProblemError(f"{path}: {key}: no such setting", f"Write {inner} inside the group {group}:")
        if key in groups:
            value = {} if value is None else value
            if not isinstance(value, Mapping):
                names = ", ".join(each.removeprefix(f"{key}.") for each in known if each.startswith(f"{key}."))
                raise ProblemError(f"{path}: {key}: expected a group with {names}, got {_kind_of(value)}")
            entries = {f"{key}.{name}": each for name, each in value.items()}
        else:
            entries = {str(key): value}
        for name, each in entries.items():
            if name in OBSOLETE:
                raise ProblemError(f"{path}: {name}: no longer a setting", OBSOLETE[name])
            if name not in known:
                raise ProblemError(f"{path}: {name}: no such setting", _nearest(name, [*known, *groups]))
            if each is not None:
                values[name] = _read(known[name], each, f"{path}: {name}")
    return values


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1, 0.6) or [each for each in known if each.endswith(f".{name}")]
    return f"Did you mean {close[0]}?" if close else "docs/settings.md lists all of them"


def _read(setting: Setting, value: Any, where: str) -> Any:
    try:
        return setting.kind.read(value)
    except (ValueError, TypeError, OverflowError) as error:
        if setting.kind.secret:
            raise ProblemError(f"{where}: expected {setting.kind.expected}", setting.kind.secret) from None
        cure = 'YAML reads yes, no, on and off as true and false: put the text in quotes, such as "yes"'
        raise ProblemError(
            f"{where}: expected {setting.kind.expected}, got {_kind_of(value)}",
            cure if _has_bool(value) else "",
        ) from error


def _has_bool(value: Any) -> bool:
    return isinstance(value, bool) or isinstance(value, list) and any(isinstance(each, bool) for each in value)


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, (int, float)):
        return f"{value}"
    return {dict: "a group", list: "a list", type(None): "nothing"}.get(type(value), f"a {type(value).__name__}")


def _problem(values: dict[str, Any], path: Path) -> Problem:
    groups = {
        "mongodb": Collection, "search": Search, "sample": Sampling,
        "data": Data, "holdout": Holdout, "gate": Gate, "serving": Serving, "costs": Costs,
    }
    built = {name: value for name, value in values.items() if "." not in name}
    for name, group in groups.items():
        built[name] = group(**{each.name: values[f"{name}.{each.name}"] for each in fields(group)})
    given = (values["costs.false_positive"], values["costs.false_negative"])
    if given == (None, None):
        built["costs"] = None
    elif None in given:
        raise ProblemError(f"{path}: costs: expected both false_positive and false_negative")
    return Problem(**built, folder=path.resolve().parent)


def _check_together(problem: Problem, path: Path) -> None:
    """Refuse settings that exclude one another."""
    if MONGODB in problem.source:
        _check_collection(problem, path)
    for name in ("id", "drop"):
        if problem.target in getattr(problem, name):
            raise ProblemError(f"{path}: {name}: {problem.target} is the target", f"Take it out of {name}")
    both = sorted(set(problem.id) & set(problem.drop))
    if both:
        raise ProblemError(f"{path}: {both[0]} is in id and in drop", "An id is not learned from anyway")
    if problem.costs and not problem.costs.false_positive + problem.costs.false_negative > 0:
        raise ProblemError(f"{path}: costs: at least one of them must be above 0")
    if problem.task not in (None, "binary"):
        for name in ("costs", "positive"):
            if getattr(problem, name) is not None:
                raise ProblemError(f"{path}: {name}: only a binary task has it; task says {problem.task}")
    tasks = [problem.task] if problem.task else list(TASK_METRICS)
    allowed = [metric for task in tasks for metric in TASK_METRICS[task]]
    if problem.metric is not None and problem.metric not in allowed:
        close = get_close_matches(problem.metric, allowed, 1)
        hint = f"Did you mean {close[0]}?" if close else ""
        expected = ", ".join(dict.fromkeys(allowed))
        raise ProblemError(f"{path}: metric: expected one of {expected}, got {problem.metric!r}", hint)
    if problem.metric == "cost" and problem.costs is None:
        raise ProblemError(f"{path}: metric: cost needs costs.false_positive and costs.false_negative")


def _check_collection(problem: Problem, path: Path) -> None:
    if len(problem.source) > 1:
        raise ProblemError(f"{path}: source: mongodb cannot be one table together with files", "Name only mongodb")
    for name in ("database", "collection"):
        if getattr(problem.mongodb, name) is None:
            raise ProblemError(f"{path}: mongodb.{name} is missing", "source: mongodb needs it")
