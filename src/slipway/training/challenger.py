"""The best candidate that can be exported exactly, its twin, and the files of their bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import msgspec
import numpy as np

from slipway.errors import TableError
from slipway.model.bundle import MODEL, TWIN
from slipway.model.contents import Counts, Holdout, Metrics, Model, Start
from slipway.model.metrics import METRICS, Scored
from slipway.model.predictor import ABSOLUTE, Predictor, calibrated, close
from slipway.model.typed_document import Draft, written
from slipway.problem import Problem
from slipway.report.readable import readable
from slipway.table.schema import Columns
from slipway.training.data.dataset import Table
from slipway.training.data.labelled import Rows
from slipway.training.evaluation import evidence
from slipway.training.evaluation.assessment import evaluate
from slipway.training.evaluation.live import reference
from slipway.training.evaluation.recalibration import calibrated_threshold, recalibrated
from slipway.training.fitting.fitted import Blended, Entry, Fitted, Ready, fit
from slipway.training.fitting.members import members
from slipway.training.fitting.workers import Workers
from slipway.training.fitting.xgboost_trees import library
from slipway.training.refit import checked_rows, doubt

LIBRARIES = ("scikit-learn", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Challenger:
    """What was learned.

    Parameters
    ----------
    entry : Entry
        What won the comparison.
    served : Draft
        Fitted on all rows.
    twin : Draft
        The same fitted without the rows held out, by which it is judged.
    holdout : Holdout
        What the twin reached on these.
    refused : mapping of int to str
        Better entries of the leaderboard by position, and why they cannot be served.
    doubt : str
        Why the twin is served; empty when the refit is. Of a model that was not judged: why.
    judged : bool
        Whether there is a twin; an imported model may have none.
    """

    entry: Entry
    served: Draft
    twin: Draft
    holdout: Holdout
    refused: Mapping[int, str]
    doubt: str = ""
    judged: bool = True

    @property
    def judging(self) -> dict[str, bytes]:
        """The files of the part of the bundle that judged; none when nothing did."""
        if not self.judged:
            return {}
        graphs = {name: content for name, content in self.twin.files.items() if name.endswith(".onnx")}
        return {TWIN: self.twin.files[MODEL], **graphs}


def challenger(
    table: Table,
    entries: Sequence[Entry],
    confidence: float,
    start: tuple[Start, ...] = (),
    jobs: int = 1,
    ready: Ready | None = None,
) -> Challenger:
    """The best entry whose exports, of twin and refit, agree with scikit-learn.

    Parameters
    ----------
    table : Table
    entries : sequence of Entry
        The best first.
    confidence : float
        Of the intervals.
    start : tuple of Start
        What a champion added to the trials.
    jobs : int
        Worker processes.
    ready : Ready, optional
        One of the entries, with its fits.
    """
    refused: dict[int, str] = {}
    for position, entry in enumerate(entries):
        if entry.trial is None or entry.reason:
            continue
        exports = _Exports(table, entry, start, ready if ready and ready.entry is entry else None)
        with Workers(exports.made, min(jobs, 2)) as workers:
            made = dict(workers.run([AS_TWIN, REFIT]))
        twin, refit = made[AS_TWIN], made[REFIT]
        if wrong := twin.wrong or refit.wrong:
            refused[position] = wrong
            continue
        units = table.units(table.held)
        holdout = evidence.holdout_metrics(table.rows.task, twin.scored, table.learned, confidence, table.goal, units)
        reason = doubt(table.goal, twin.scored, refit.scored, holdout.metrics[table.goal.metric])
        served = exports.made(TWIN_SERVED) if reason else refit
        return Challenger(entry, served.draft, twin.draft, holdout, refused, reason)
    raise TableError("no candidate can be exported exactly: " + "; ".join(refused.values() or ["none was fitted"]))


@dataclass(frozen=True)
class _Export:
    """One of the two models of a bundle, or the twin as what serves."""

    stem: str
    whole: bool


AS_TWIN, REFIT, TWIN_SERVED = _Export("twin", False), _Export("model", True), _Export("model", False)


@dataclass(frozen=True)
class _Made:
    """An export, why it cannot be served, and what it says of the rows held out."""

    draft: Draft
    wrong: str
    scored: Scored


@dataclass(frozen=True)
class _Exports:
    """Fits an entry and exports it where the fit is: in a worker process, of which a forest need not come back."""

    table: Table
    entry: Entry
    start: tuple[Start, ...]
    ready: Ready | None = None

    def made(self, asked: _Export) -> _Made:
        table, entry = self.table, self.entry
        rows, checked = (table.whole, checked_rows(table)) if asked.whole else (table.learned, table.unseen)
        fitted, learned, of_twin = self._fitted(rows, asked.whole)
        made = draft(table, entry, fitted, asked.stem, learned, self.start, of_twin)
        predictor = Predictor(made)
        return _Made(made, disagreeing(fitted, predictor, checked), scored_by(table, predictor))

    def _fitted(self, rows: Rows, whole: bool) -> tuple[Fitted | Blended, int, int | None]:
        """The fit, how many rows it learned from, and how many the twin, where that is known already."""
        if ready := self.ready:
            return (ready.refit, ready.of_refit, ready.of_twin) if whole else (ready.twin, ready.of_twin, ready.of_twin)
        assert self.entry.trial is not None
        return fit(self.entry.trial, rows, self.table.goal.seed), len(rows.y), None


def disagreeing(fitted: Fitted | Blended, predictor: Predictor, rows: Rows) -> str:
    """Why an export cannot be served; empty when it agrees with scikit-learn on these rows."""
    number = disagreements(fitted, predictor, rows.columns)
    return f"its export answers {number} of {len(rows.y)} rows unlike scikit-learn" if number else ""


def scored_by(table: Table, predictor: Predictor) -> Scored:
    """What a model says of the rows held out."""
    unseen = table.unseen
    return table.goal.scored(unseen.y, predictor.scores(unseen.columns), predictor.threshold)


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


def draft(
    table: Table,
    entry: Entry,
    fitted: Fitted | Blended,
    stem: str,
    learned: int,
    start: tuple[Start, ...],
    of_twin: int | None = None,
) -> Draft:
    """The model of an entry, with graphs named after `stem`.

    Parameters
    ----------
    learned, of_twin : int
        How many rows it was fitted on, and how many its twin; by default those learned from.
    """
    parts, graphs = members(fitted, stem)
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
        rows=Counts(learned, int(table.held.sum()), int((~table.target.rows).sum()), of_twin or int(table.used.sum())),
        start=start,
        data=table.fingerprint,
        anchor=table.anchor.identity if table.anchor else msgspec.UNSET,
        libraries=_libraries(entry),
    )
    return Draft({"schema.json": written(table.rows.schema), MODEL: written(model), **graphs})


def _libraries(entry: Entry) -> dict[str, str]:
    grown = {"xgboost": library().__version__} if entry.trial and entry.trial.candidate == "xgboost" else {}
    return {name: version(name) for name in LIBRARIES} | grown


def documents(
    problem: Problem, table: Table, made: Challenger, entries: Sequence[Entry], remarks: Sequence[str], jobs: int = 1
) -> dict[str, bytes]:
    """The files of the part of the bundle that serves, name → content: measured on the twin, golden as served."""
    served, twin, goal, unseen = Predictor(made.served), Predictor(made.twin), table.goal, table.unseen
    scored = scored_by(table, twin)
    evaluation = evaluate(problem, table, made.entry, twin, jobs) if made.judged else None
    metrics = Metrics(
        metric=goal.metric,
        greater_is_better=METRICS[goal.metric].greater_is_better,
        confidence=problem.gate.confidence,
        holdout=made.holdout,
        importance=tuple((one.field, one.loss.value) for one in evaluation.importance) if evaluation else (),
        leaderboard=evidence.leaderboard(entries, made.refused),
        notes=(*remarks, *_doubted(made)),
    )
    files = (
        dict(made.served.files)
        | {
            "golden.json": written(evidence.golden(served, unseen, goal.seed)),
            "metrics.json": written(metrics),
            "drift.json": written(evidence.drift_profile(table.whole)),
            "live.json": written(reference(scored, table.rows.classes, goal.costs is not None)),
        }
        | ({"evaluation.json": written(evaluation)} if evaluation else {})
    )
    return files | readable(Draft(files), problem.name, problem.purpose)


def _doubted(made: Challenger) -> list[str]:
    if not made.judged:
        return [f"this model was not judged: {made.doubt}. Its figures are of rows that it may have learned from"]
    return [f"the model that learned from all rows is not served: {made.doubt}"] if made.doubt else []
