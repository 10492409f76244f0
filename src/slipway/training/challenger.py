"""The best candidate that can be exported exactly, and the files of its bundle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from slipway.errors import TableError
from slipway.model.predictor import ABSOLUTE, Predictor, close
from slipway.problem import Problem
from slipway.training import evidence
from slipway.training.compare import Entry, Fitted, fit
from slipway.training.dataset import Table
from slipway.training.export import export
from slipway.training.metrics import METRICS
from slipway.training.plot import fit_svg
from slipway.training.report import report_html

LIBRARIES = ("scikit-learn", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Draft:
    """The files of a bundle before it is written; a predictor reads it like a bundle."""

    files: Mapping[str, bytes]
    digest: str = "draft"

    def read(self, name: str) -> bytes:
        return self.files[name]

    def json(self, name: str) -> dict:
        return json.loads(self.files[name])


def challenger(table: Table, entries: Sequence[Entry]) -> tuple[Draft, dict[int, str]]:
    """The best entry whose export agrees with scikit-learn on every held-out row, and why better ones were refused."""
    refused: dict[int, str] = {}
    for position, entry in enumerate(entries):
        if entry.trial is None:
            continue
        fitted = fit(entry.trial, table.learned, table.goal.seed)
        draft = _draft(table, entry, fitted)
        disagreeing = disagreements(fitted, Predictor(draft), table.unseen.columns)
        if not disagreeing:
            return draft, refused
        refused[position] = (
            f"its export answers {disagreeing} of {len(table.unseen.y)} held-out rows unlike scikit-learn"
        )
    raise TableError("no candidate can be exported exactly: " + "; ".join(refused.values() or ["none was fitted"]))


def disagreements(fitted: Fitted, predictor: Predictor, columns: Mapping[str, np.ndarray]) -> int:
    """Rows on which the export and scikit-learn differ: the parity gate.

    Scores agree within 1e-5 relative or 1e-6 absolute; labels are equal unless the score is within 1e-6 of the
    threshold.
    """
    expected, answered = fitted.scores(columns), predictor.scores(columns)
    agree = close(expected, answered)
    if agree.ndim == 2:
        ranked = np.sort(expected, axis=1)
        tied = ranked[:, -1] - ranked[:, -2] <= ABSOLUTE
        return int((~(agree.all(axis=1) & (tied | (expected.argmax(axis=1) == answered.argmax(axis=1))))).sum())
    if predictor.threshold is not None:
        same = (expected >= predictor.threshold) == (answered >= predictor.threshold)
        agree &= same | (np.abs(expected - predictor.threshold) <= ABSOLUTE)
    return int((~agree).sum())


def _draft(table: Table, entry: Entry, fitted: Fitted) -> Draft:
    graph = export(fitted.estimator, len(fitted.encoding.outputs))
    model = {
        "task": table.rows.task, "target": table.target.name, "classes": list(table.rows.classes),
        "threshold": entry.threshold, "metric": table.goal.metric, "costs": table.goal.costs,
        "candidate": entry.trial.candidate, "settings": entry.trial.described(),
        "input": graph.input, "link": "expm1" if entry.trial.log_target else graph.link, "base": graph.base,
        "encoding": fitted.encoding.to_json(), "split": table.split.to_json(),
        "rows": {
            "training": int(table.used.sum()), "holdout": int(table.held.sum()),
            "without target": int((~table.target.rows).sum()),
        },
        "data": table.fingerprint, "libraries": {name: version(name) for name in LIBRARIES},
    }
    return Draft({
        "schema.json": _json(table.rows.schema.to_json()), "model.json": _json(model), "model.onnx": graph.onnx,
    })


def documents(
    problem: Problem, table: Table, draft: Draft, entries: Sequence[Entry], refused: dict[int, str], remarks: list[str]
) -> dict[str, bytes]:
    """All files of the bundle, name → content."""
    predictor, goal, unseen = Predictor(draft), table.goal, table.unseen
    scored = goal.scored(unseen.y, predictor.scores(unseen.columns), predictor.threshold)
    metrics = {
        "metric": goal.metric, "greater_is_better": METRICS[goal.metric].greater_is_better,
        "confidence": problem.gate.confidence,
        "holdout": evidence.holdout_metrics(table.rows.task, scored, table.learned, problem.gate.confidence, goal),
        "importance": evidence.importance(predictor, unseen, goal),
        "leaderboard": evidence.leaderboard(entries, refused), "notes": remarks,
    }
    figure = fit_svg(scored, table.rows.classes)
    schema = table.rows.schema.to_json()
    return dict(draft.files) | {
        "golden.json": _json(evidence.golden(predictor, unseen, goal.seed)),
        "metrics.json": _json(metrics),
        "drift.json": _json(evidence.drift_profile(table.learned)),
        "fit.svg": figure,
        "report.html": report_html(predictor.model, schema, metrics, figure, problem.name),
    }


def _json(document: dict) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
