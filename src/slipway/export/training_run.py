"""What a run of MLflow says of a training: tags, parameters, metrics and files, from bundle and journal."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from slipway.export.model_version import DIGEST
from slipway.export.run_tables import tables
from slipway.model.bundle import Bundle
from slipway.model.contents import Metrics, Model, metrics_of, model_of
from slipway.model.evaluation import NAME, evaluation_of
from slipway.problem import SETTINGS, Problem
from slipway.report.documents import documents_of, joined
from slipway.report.page import BASELINE, best_of_each, standalone

JUDGED, PROBLEM = "slipway.judged", "slipway.problem"  # tags of a run
COMMIT = "slipway.commit"  # tag of a run whose program knew which commit was checked out
LONGEST_TAG, LONGEST_PARAM = 5_000, 500  # characters that also earlier servers take
UNKEYED = re.compile(r"[^/\w.\- ]")  # what the name of a metric or parameter may not have on every server
# What decides a training beside what its bundle says; a mapping or a filter may hold values of rows.
ASKED = ("source", "metric", "positive", "id", "time", "group", "drop", "features", "candidates", "seed", "sample.cells")
ASKED_OF = ("search.", "costs.", "holdout.", "gate.")


@dataclass(frozen=True)
class Training:
    """A training, and what only the program that trained knows of it.

    Parameters
    ----------
    digest : str
        Of its bundle.
    said : mapping
        The entry of the journal or of verdict.json; empty when nothing was said of the bundle.
    here : bool
        Whether this program has just trained.
    tags, params : mapping
        What it knows beside the bundle: the commit, and the settings of slipway.yaml.
    """

    digest: str
    said: Mapping[str, Any]
    here: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> str:
        """When the gate judged, in ISO 8601; together with the digest it names the training."""
        return str(self.said.get("at", ""))

    @cached_property
    def ended(self) -> int:
        """The same in milliseconds since 1970-01-01; now where nobody judged."""
        try:
            when = datetime.fromisoformat(self.judged)
        except ValueError:
            when = datetime.now(UTC)
        return int(when.timestamp() * 1000)

    @property
    def begun(self) -> int:
        """When it began, in milliseconds since 1970-01-01; its end where the entry, of an earlier version, has no duration."""
        seconds = self.said.get("seconds")
        return self.ended - round(1000 * seconds) if isinstance(seconds, (int, float)) else self.ended


@dataclass(frozen=True)
class Measure:
    """A metric at a step, which is 0 but on a curve."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Contents:
    """What a run holds; `files` by path."""

    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[Measure, ...]
    files: Mapping[str, bytes]
    description: str


def contents_of(bundle: Bundle, problem: Problem, training: Training) -> Contents:
    """What a run says of a training; BundleError when a document of the bundle is absent or damaged."""
    model, metrics, said = model_of(bundle), metrics_of(bundle), training.said
    reasons = "; ".join(map(str, said.get("reasons", ())))
    tags = {
        DIGEST: bundle.digest,
        PROBLEM: bundle.problem,
        JUDGED: training.judged,
        "slipway.verdict": said.get("outcome", ""),
        "slipway.reasons": reasons,
        "slipway.against": said.get("champion") or "",
        "slipway.metric": metrics.metric,
        "slipway.data": model.data,
        "mlflow.user": said.get("who", ""),
        "mlflow.note.content": _note(said, metrics),
    }
    files = {path: content.encode() for path, content in tables(metrics, evaluation_of(bundle)).items()}
    files |= {"report.html": _report(bundle, problem, said)}
    files |= {name: bundle.read(name) for name in ("card.md", NAME) if bundle.has(name)}
    files |= {"verdict.json": json.dumps(dict(said), indent=2, ensure_ascii=False).encode()} if said else {}
    return Contents(
        tags={key: _cut(value, LONGEST_TAG) for key, value in (tags | dict(training.tags)).items() if value},
        params={_key(key): _cut(value, LONGEST_PARAM) for key, value in (dict(training.params) | _params(model)).items()},
        metrics=tuple(each for each in _measures(bundle, metrics, said) if math.isfinite(each.value)),
        files=files,
        description=reasons,
    )


def asked(problem: Problem) -> dict[str, str]:
    """The settings of slipway.yaml that decide a training and are not at their defaults, as parameters."""
    found = {}
    for setting in SETTINGS:
        if setting.path in ASKED or setting.path.startswith(ASKED_OF):
            value = _setting(problem, setting.path)
            if value not in (setting.default, None):
                found[f"settings/{setting.path}"] = _shown(value)
    return found


def _setting(problem: Problem, path: str) -> Any:
    group, _, name = path.rpartition(".")
    of = getattr(problem, group) if group else problem
    return getattr(of, name) if of is not None else None


def _params(model: Model) -> dict[str, str]:
    split = model.split
    found: dict[str, Any] = {
        "task": model.task,
        "target": model.target,
        "metric": model.metric,
        "model": model.kind,
        "threshold": model.threshold,
        "calibrated": model.calibration is not None,
        "rows/training": model.rows.training,
        "rows/holdout": model.rows.holdout,
        "split/share": split.share,
        "split/columns": split.columns,
        "split/boundary": split.time.show(split.boundary) if split.time and split.boundary is not None else None,
    }
    for place, member in enumerate(model.members, 1):
        prefix = f"model/{place}/" if len(model.members) > 1 else "model/"
        found |= {f"{prefix}candidate": member.candidate, f"{prefix}weight": member.weight}
        found |= {f"{prefix}{name}": value for name, value in member.settings.items()}
    found |= {f"libraries/{name}": version for name, version in model.libraries.items()}
    return {key: _shown(value) for key, value in found.items() if value not in (None, ())}


def _measures(bundle: Bundle, metrics: Metrics, said: Mapping[str, Any]) -> Iterator[Measure]:
    for name, one in metrics.holdout.metrics.items():
        yield from (Measure(name, one.value), Measure(f"{name}_low", one.low), Measure(f"{name}_high", one.high))
    for name, value in metrics.holdout.baseline.items():
        yield Measure(f"{name}_baseline", value)
    for entry in best_of_each(metrics.leaderboard):
        if entry.eligible or entry.candidate == BASELINE:
            yield Measure(f"cv/{_key(entry.candidate)}", entry.mean)
            yield Measure(f"cv_error/{_key(entry.candidate)}", entry.error)
    if isinstance(latency := said.get("latency_us"), (int, float)):
        yield Measure("latency_us", latency)
    if found := evaluation_of(bundle):
        if found.reliability:
            yield Measure("calibration_error", found.reliability.error.value)
        for point in found.learning_curve:
            one = point.estimate
            for name, value in (("", one.value), ("_low", one.low), ("_high", one.high)):
                yield Measure(f"learning_curve/{found.metric}{name}", value, point.rows)


def _report(bundle: Bundle, problem: Problem, said: Mapping[str, Any]) -> bytes:
    told = {**said, "against": said.get("champion")}
    return standalone(joined(documents_of(bundle, problem.name, problem.purpose), bundle.digest, told))


def _note(said: Mapping[str, Any], metrics: Metrics) -> str:
    """The description of the run, as Markdown: the verdict, its reasons, and what a reader of the results must know."""
    head = [f"**{said['outcome']}**", ""] if said.get("outcome") else []
    lines = [f"- {each}" for each in (*said.get("reasons", ()), *(f"{note}." for note in metrics.notes))]
    return "\n".join([*head, *lines])


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _key(name: str) -> str:
    return UNKEYED.sub(".", name)[:250]


def _cut(text: str, longest: int) -> str:
    """A text that fits, and says how long it was."""
    if len(text) <= longest:
        return text
    says = f" … ({len(text):,} characters)"
    return text[: longest - len(says)] + says
