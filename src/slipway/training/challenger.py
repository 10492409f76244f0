"""The best candidate that can be exported exactly, and the files of its bundle."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from slipway.errors import TableError
from slipway.model.contents import Counts, Draft, Metrics, Model, written
from slipway.model.predictor import ABSOLUTE, Predictor, calibrated, close
from slipway.problem import Problem
from slipway.table.schema import Columns
from slipway.training import evidence
from slipway.training.assessment import evaluate
from slipway.training.compare import Blended, Entry, Fitted, fit
from slipway.training.dataset import Table
from slipway.training.members import members
from slipway.training.metrics import METRICS
from slipway.training.plot import fit_svg
from slipway.training.recalibration import calibrated_threshold, recalibrated
from slipway.training.report import report_html

LIBRARIES = ("scikit-learn", "numpy", "onnx", "onnxruntime")


def challenger(table: Table, entries: Sequence[Entry]) -> tuple[Draft, dict[int, str]]:
    """The best entry whose export agrees with scikit-learn on every held-out row, and why better ones were refused."""
    refused: dict[int, str] = {}
    for position, entry in enumerate(entries):
        if entry.trial is None or entry.reason:
            continue
        fitted = fit(entry.trial, table.learned, table.goal.seed)
        draft = _draft(table, entry, fitted)
        disagreeing = disagreements(fitted, Predictor(draft), table.unseen.columns)
        if not disagreeing:
            return draft, refused
        refused[position] = f"its export answers {disagreeing} of {len(table.unseen.y)} held-out rows unlike scikit-learn"
    raise TableError("no candidate can be exported exactly: " + "; ".join(refused.values() or ["none was fitted"]))


def disagreements(fitted: Fitted | Blended, predictor: Predictor, columns: Columns) -> int:
    """Rows on which the export and scikit-learn differ: the parity gate.

    Scores agree within 1e-5 relative or 1e-6 absolute; labels are equal unless the score is within 1e-6 of the
    threshold.
    """
    expected, answered = calibrated(fitted.scores(columns), predictor.model.calibration), predictor.scores(columns)
    agree = np.asarray(close(expected, answered))
    if agree.ndim == 2:
        ranked = np.sort(expected, axis=1)
        tied = ranked[:, -1] - ranked[:, -2] <= ABSOLUTE
        return int((~(agree.all(axis=1) & (tied | (expected.argmax(axis=1) == answered.argmax(axis=1))))).sum())
    if predictor.threshold is not None:
        same = (expected >= predictor.threshold) == (answered >= predictor.threshold)
        agree &= same | (np.abs(expected - predictor.threshold) <= ABSOLUTE)
    return int((~agree).sum())


def _draft(table: Table, entry: Entry, fitted: Fitted | Blended) -> Draft:
    parts, graphs = members(fitted)
    calibration, _ = recalibrated(entry, table.learned, table.goal)
    model = Model(
        task=table.rows.task,
        target=table.target.name,
        classes=table.rows.classes,
        threshold=calibrated_threshold(entry, table.learned, table.goal, calibration),
        metric=table.goal.metric,
        costs=table.goal.costs,
        members=parts,
        calibration=calibration,
        split=table.split,
        rows=Counts(int(table.used.sum()), int(table.held.sum()), int((~table.target.rows).sum())),
        data=table.fingerprint,
        libraries={name: version(name) for name in LIBRARIES},
    )
    return Draft({"schema.json": written(table.rows.schema), "model.json": written(model), **graphs})


def _chosen(entries: Sequence[Entry], refused: dict[int, str]) -> Entry:
    """The best entry that was not refused."""
    return next(one for place, one in enumerate(entries) if one.trial and not one.reason and place not in refused)


def documents(
    problem: Problem, table: Table, draft: Draft, entries: Sequence[Entry], refused: dict[int, str], remarks: list[str]
) -> dict[str, bytes]:
    """All files of the bundle, name → content."""
    predictor, goal, unseen = Predictor(draft), table.goal, table.unseen
    evaluation = evaluate(problem, table, _chosen(entries, refused), predictor)
    scored = goal.scored(unseen.y, predictor.scores(unseen.columns), predictor.threshold)
    metrics = Metrics(
        metric=goal.metric,
        greater_is_better=METRICS[goal.metric].greater_is_better,
        confidence=problem.gate.confidence,
        holdout=evidence.holdout_metrics(table.rows.task, scored, table.learned, problem.gate.confidence, goal),
        importance=tuple((one.field, one.loss.value) for one in evaluation.importance),
        leaderboard=evidence.leaderboard(entries, refused),
        notes=tuple(remarks),
    )
    figure = fit_svg(scored, table.rows.classes)
    return dict(draft.files) | {
        "golden.json": written(evidence.golden(predictor, unseen, goal.seed)),
        "metrics.json": written(metrics),
        "evaluation.json": written(evaluation),
        "drift.json": written(evidence.drift_profile(table.learned)),
        "fit.svg": figure,
        "report.html": report_html(predictor.model, table.rows.schema, metrics, figure, problem.name),
    }
