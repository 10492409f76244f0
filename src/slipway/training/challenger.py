"""The best candidate that can be exported exactly, and the files of its bundle."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from slipway.errors import TableError
from slipway.model.contents import Counts, Draft, Member, Metrics, Model, Outputs, written
from slipway.model.predictor import ABSOLUTE, Predictor, close
from slipway.problem import Problem
from slipway.table.schema import Columns
from slipway.training import evidence
from slipway.training.candidates import CANDIDATES
from slipway.training.compare import Entry, Fitted, fit
from slipway.training.dataset import Table
from slipway.training.metrics import METRICS
from slipway.training.plot import fit_svg
from slipway.training.report import report_html

LIBRARIES = ("scikit-learn", "numpy", "onnx", "onnxruntime")


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
        refused[position] = f"its export answers {disagreeing} of {len(table.unseen.y)} held-out rows unlike scikit-learn"
    raise TableError("no candidate can be exported exactly: " + "; ".join(refused.values() or ["none was fitted"]))


def disagreements(fitted: Fitted, predictor: Predictor, columns: Columns) -> int:
    """Rows on which the export and scikit-learn differ: the parity gate.

    Scores agree within 1e-5 relative or 1e-6 absolute; labels are equal unless the score is within 1e-6 of the
    threshold.
    """
    expected, answered = fitted.scores(columns), predictor.scores(columns)
    agree = np.asarray(close(expected, answered))
    if agree.ndim == 2:
        ranked = np.sort(expected, axis=1)
        tied = ranked[:, -1] - ranked[:, -2] <= ABSOLUTE
        return int((~(agree.all(axis=1) & (tied | (expected.argmax(axis=1) == answered.argmax(axis=1))))).sum())
    if predictor.threshold is not None:
        same = (expected >= predictor.threshold) == (answered >= predictor.threshold)
        agree &= same | (np.abs(expected - predictor.threshold) <= ABSOLUTE)
    return int((~agree).sum())


def _draft(table: Table, entry: Entry, fitted: Fitted) -> Draft:
    trial, candidate = fitted.trial, CANDIDATES[fitted.trial.candidate]
    graph = candidate.export(fitted.estimator, len(fitted.encoding.outputs))
    model = Model(
        task=table.rows.task,
        target=table.target.name,
        classes=table.rows.classes,
        threshold=entry.threshold,
        metric=table.goal.metric,
        costs=table.goal.costs,
        members=(
            Member(
                candidate=trial.candidate,
                settings=trial.described(),
                input=candidate.dtype,
                link="expm1" if trial.log_target else graph.link,
                base=tuple(graph.base),
                encoding=Outputs(fitted.encoding.outputs, fitted.encoding.features),
            ),
        ),
        split=table.split,
        rows=Counts(int(table.used.sum()), int(table.held.sum()), int((~table.target.rows).sum())),
        data=table.fingerprint,
        libraries={name: version(name) for name in LIBRARIES},
    )
    return Draft(
        {
            "schema.json": written(table.rows.schema),
            "model.json": written(model),
            "model.onnx": graph.onnx,
        }
    )


def documents(
    problem: Problem, table: Table, draft: Draft, entries: Sequence[Entry], refused: dict[int, str], remarks: list[str]
) -> dict[str, bytes]:
    """All files of the bundle, name → content."""
    predictor, goal, unseen = Predictor(draft), table.goal, table.unseen
    scored = goal.scored(unseen.y, predictor.scores(unseen.columns), predictor.threshold)
    metrics = Metrics(
        metric=goal.metric,
        greater_is_better=METRICS[goal.metric].greater_is_better,
        confidence=problem.gate.confidence,
        holdout=evidence.holdout_metrics(table.rows.task, scored, table.learned, problem.gate.confidence, goal),
        importance=evidence.importance(predictor, unseen, goal),
        leaderboard=evidence.leaderboard(entries, refused),
        notes=tuple(remarks),
    )
    figure = fit_svg(scored, table.rows.classes)
    return dict(draft.files) | {
        "golden.json": written(evidence.golden(predictor, unseen, goal.seed)),
        "metrics.json": written(metrics),
        "drift.json": written(evidence.drift_profile(table.learned)),
        "fit.svg": figure,
        "report.html": report_html(predictor.model, table.rows.schema, metrics, figure, problem.name),
    }
