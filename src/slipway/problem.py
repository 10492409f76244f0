"""slipway.yaml → Problem: every setting once, with its type, default, limits and a sentence of help.

Strict: what is unknown or impossible is refused with its path and the cure.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from msgspec import Meta, Struct, structs

from slipway.errors import ProblemError
from slipway.kinds import (
    CANDIDATES,
    EVERY_COLUMN,
    Candidates,
    Command,
    Expressions,
    Formats,
    Limits,
    Markers,
    OneComparison,
    Remote,
    Task,
    Text,
    Texts,
    Types,
)
from slipway.problem_checks import check_collection, check_columns, check_sql
from slipway.sections import Collection, Costs, Data, Gate, Holdout, Log, Sampling, Search, Serving, Spark, Sql
from slipway.settings import groups_of, meant, read_document, read_environment, settings_of
from slipway.yaml_document import document_in, text_of

FILE = "slipway.yaml"
MONGODB = "mongodb"  # as the source: the collection that the section of this name tells
SQL = "sql"  # as the source: the table or query that the section of this name tells
SPARK = "spark:"  # before a table, query or path of a cluster, as the source
LOG = "log"  # as the source: the labelled rows of the prediction log
TASK_METRICS: dict[Task, tuple[str, ...]] = {
    "regression": ("rmse", "mae", "r2"),
    "binary": ("roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "f1", "cost"),
    "multiclass": ("log_loss", "accuracy", "balanced_accuracy", "f1_macro"),
}
LESS_IS_BETTER = {"rmse", "mae", "log_loss", "brier", "cost"}
METRICS = tuple(dict.fromkeys(metric for metrics in TASK_METRICS.values() for metric in metrics))


class Problem(Struct, frozen=True, kw_only=True):
    """What slipway.yaml says, and the `folder` that it is in."""

    name: Annotated[Text, "Name of the problem. It salts the split: without holdout.salt, changing it redraws the hold-out."]
    source: Annotated[
        Texts,
        "The table: CSV or Parquet files or globs, relative to this file; s3://bucket/glob; mongodb; sql; spark: and a "
        "table, query or path of a cluster; or log, the labelled rows of the prediction log, also beside files.",
    ]
    fetch: Annotated[
        Command | None, "The command that writes the files of source where they are absent: in a fresh clone, on a runner."
    ] = None
    mongodb: Collection = Collection()
    sql: Sql = Sql()
    spark: Spark = Spark()
    target: Annotated[Text, "The column to predict."]
    purpose: Annotated[
        Text | None, "What the model is for, in a sentence or a question: the report, card.md and /model begin with it."
    ] = None
    positive: Annotated[Text | None, "For two classes: the label whose probability is answered."] = None
    task: Annotated[Task | None, "What kind of answer; inferred from the target when absent."] = None
    id: Annotated[Texts, "Columns that name a row. They decide the split and are not learned from."] = ()
    time: Annotated[
        Text | None,
        "The column of dates or numbers that orders the rows. Training learns from the past, and the latest rows are held "
        "out. It is learned from too, unless it is also in drop.",
    ] = None
    group: Annotated[
        Texts, "Columns that name what several rows are about, such as a patient: its rows stay together. Not learned from."
    ] = ()
    drop: Annotated[Texts, "Columns to leave out: leaks, constants, free text."] = ()
    types: Annotated[Types, "Types of columns where the inferred one is wrong."] = {}
    formats: Annotated[
        Formats,
        "How numbers and dates are written: per column, 1234.56 or 31 December 2024 as it is written there, such as "
        '"1.234,56", "$1,234.56" or "31.12.2024".',
    ] = {}
    missing: Annotated[
        Markers,
        "Texts that mean a missing cell, besides the usual ones (empty, NA, NaN, null, ?): in every column, or by "
        "column. -999 is -999.0 too.",
    ] = {}
    features: Annotated[
        Expressions,
        "Further columns that the model computes from a row, such as `bmi / age`, by name. See docs/data.md.",
    ] = {}
    limits: Annotated[
        Limits,
        "The lowest and highest value that gets an answer, by column. For that column it replaces serving.out_of_range.",
    ] = {}
    metric: Annotated[
        Text | None, "What to optimise. Default by task: rmse; roc_auc, or cost when costs are set; log_loss."
    ] = None
    costs: Costs | None = None
    candidates: Annotated[
        Candidates, "Which estimators to compare. package.module:function is a function that returns a scikit-learn pipeline."
    ] = CANDIDATES
    search: Search = Search()
    sample: Sampling = Sampling()
    data: Data = Data()
    holdout: Holdout = Holdout()
    gate: Gate = Gate()
    retrain_when: Annotated[
        OneComparison | None,
        "Also train when a metric of the newest labelled rows of production, at least 200, is worse than this. Without it "
        "slipway watch decides by its other rules alone.",
    ] = None
    remote: Annotated[
        Remote | None, "Where bundles and the journal are also stored: s3://bucket/prefix. slipway push and pull copy."
    ] = None
    seed: Annotated[int, Meta(ge=0), "Seed of everything random in training."] = 0
    serving: Serving = Serving()
    log: Log = Log()
    folder: Path

    @property
    def unlearned(self) -> set[str]:
        """The columns that are not learned from."""
        return {self.target, *self.id, *self.group, *self.drop}

    @property
    def places(self) -> tuple[Path, Path]:
        """Where modules of a person's own are looked for: beside the problem file, then in src/ there."""
        return self.folder, self.folder / "src"

    def markers(self, column: str) -> tuple[str, ...]:
        """Further texts that mean a missing cell in this column."""
        return (*self.missing.get(EVERY_COLUMN, ()), *self.missing.get(column, ()))


SETTINGS = tuple(settings_of(Problem))
GROUPS = groups_of(Problem)


def default_metric(task: Task, costs: Costs | None) -> str:
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
    return read_problem(text_of(path), path, environ)


def problem_of(given: "Problem | Mapping[str, Any] | str | Path | None") -> Problem:
    """The problem that a program names: itself, by its settings, or by the path of its file (None: as `load_problem`).

    A mapping holds what slipway.yaml would say; `target` is enough, and its folder is the current one.

    Raises
    ------
    ProblemError
        As `load_problem`, and when it is none of these.
    """
    if isinstance(given, Problem):
        return given
    if isinstance(given, Mapping):
        told = {"name": Path.cwd().name or "problem", "source": "frame", **given}
        return read_problem(yaml.safe_dump(told), Path("problem"), {})
    if given is None or isinstance(given, str | Path):
        return load_problem(given)
    says = f"expected a problem, its settings or the path of its file, got {type(given).__name__}"
    raise ProblemError(says, 'Pass slipway.load_problem("slipway.yaml"), a path, or settings such as {"target": "charges"}')


def read_problem(content: str, path: Path, environ: Mapping[str, str]) -> Problem:
    """The same from the text of a file that is, or will be, at `path`."""
    values = read_document(document_in(content, path), SETTINGS, str(path)) | read_environment(environ, SETTINGS)
    for setting in SETTINGS:
        if setting.required and setting.path not in values:
            raise ProblemError(f"{path}: {setting.path} is missing", setting.help)
    given: dict[str, Any] = {setting: value for setting, value in values.items() if "." not in setting}
    for name, group in GROUPS.items():
        inner = {setting.partition(".")[2]: value for setting, value in values.items() if setting.startswith(f"{name}.")}
        needed = [field.name for field in structs.fields(group) if field.required]
        if inner and not inner.keys() >= set(needed):
            raise ProblemError(f"{path}: {name}: expected both {' and '.join(needed)}")
        if inner:
            given[name] = group(**inner)
    problem = Problem(**given, folder=path.resolve().parent)
    _check_together(problem, path)
    return problem


def _check_together(problem: Problem, path: Path) -> None:
    """Refuse settings that exclude one another."""
    if MONGODB in problem.source:
        check_collection(problem.source, problem.mongodb, path)
    if len(problem.source) > 1 and (named := [entry for entry in problem.source if entry.startswith(SPARK)]):
        raise ProblemError(f"{path}: source: {named[0]} cannot be one table together with other entries", "Name it alone")
    if SQL in problem.source:
        check_sql(problem.source, problem.sql, path)
    if problem.search.engine == "spark" and not problem.source[0].startswith(SPARK):
        says = f"{path}: search.engine: spark learns where the table is, and source ({problem.source[0]}) is not on a cluster"
        raise ProblemError(says, "Name a table of the cluster, such as spark:catalog.schema.table, or take search.engine out")
    if LOG in problem.source:
        _check_log(problem, path)
    roles = {"id": problem.id, "group": problem.group, "drop": problem.drop, "time": (problem.time,) if problem.time else ()}
    check_columns(problem.target, roles, problem.log, path)
    if problem.costs and not problem.costs.false_positive + problem.costs.false_negative > 0:
        raise ProblemError(f"{path}: costs: at least one of them must be above 0")
    if problem.task not in (None, "binary"):
        for name in ("costs", "positive"):
            if getattr(problem, name) is not None:
                raise ProblemError(f"{path}: {name}: only a binary task has it; task says {problem.task}")
    allowed = TASK_METRICS[problem.task] if problem.task else METRICS
    if problem.metric is not None and problem.metric not in allowed:
        says = f"{path}: metric: expected one of {', '.join(allowed)}, got {problem.metric!r}"
        raise ProblemError(says, meant(problem.metric, allowed))
    if problem.metric == "cost" and problem.costs is None:
        raise ProblemError(f"{path}: metric: cost needs costs.false_positive and costs.false_negative")
    _check_rule(problem, allowed, path)


def _check_rule(problem: Problem, allowed: tuple[str, ...], path: Path) -> None:
    """Refuse a `retrain_when` that could not be evaluated, or that good models fulfil."""
    rule = problem.retrain_when
    if rule is None:
        return
    if rule.metric not in allowed:
        says = f"{path}: retrain_when: expected one of {', '.join(allowed)}, got {rule.metric!r}"
        raise ProblemError(says, meant(rule.metric, allowed))
    if (rule.sign == ">") != (rule.metric in LESS_IS_BETTER):
        better = "less" if rule.metric in LESS_IS_BETTER else "more"
        turned = f"{rule.metric} {'<' if rule.sign == '>' else '>'} {rule.number:g}"
        raise ProblemError(
            f"{path}: retrain_when: {rule} asks for training while the model is good: {better} {rule.metric} is better",
            f"Write {turned}",
        )
    if rule.metric == "cost" and problem.costs is None:
        raise ProblemError(f"{path}: retrain_when: cost needs costs.false_positive and costs.false_negative")


def _check_log(problem: Problem, path: Path) -> None:
    if problem.source.count(LOG) > 1:
        raise ProblemError(f"{path}: source: {LOG} is named twice", "Name it once")
    if problem.group:
        says = f"{path}: source: {LOG} and group exclude one another: rows of the log do not have {', '.join(problem.group)}"
        raise ProblemError(says, f"Take {LOG} out of source")
    if hashed := [name for name in problem.id if name in problem.log.hash]:
        says = (
            f"{path}: source: {LOG} and an id in log.hash exclude one another: rows are held out by {hashed[0]}, and in the "
            "log they have another one than in files"
        )
        raise ProblemError(says, f"Take {hashed[0]} out of log.hash, or {LOG} out of source")
