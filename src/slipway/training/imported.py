"""A fitted pipeline from elsewhere as a bundle: what is served is the pipeline itself, what judges it is a clone.

The rows that it learned from are unknown, so nothing can be measured on it. A clone, fitted without the rows held out, stands
for it in the gate. Without a clone the model is not judged, and only ``slipway promote`` makes it champion.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from slipway.errors import TableError
from slipway.model.contents import IMPORTED
from slipway.model.predictor import Predictor
from slipway.model.typed_document import Draft
from slipway.problem import Problem
from slipway.sources.source import open_source
from slipway.store.local import LocalStore
from slipway.store.snapshots import KeptData
from slipway.table.schema import Columns
from slipway.threads import one_thread
from slipway.training.challenger import Challenger, disagreeing, draft, scored_by
from slipway.training.comparison.search import Found, search
from slipway.training.data.dataset import Table, read
from slipway.training.evaluation import evidence
from slipway.training.fitting.candidates import CANDIDATES, Trial
from slipway.training.fitting.estimators import exported_as
from slipway.training.fitting.fitted import Entry, Fitted, fit
from slipway.training.fitting.pipelines import candidate_of, first_line, frame_of, ordered, parts_of
from slipway.training.fitting.steps import encoding_of, shown
from slipway.training.outcome import Outcome
from slipway.training.pickled import Pickled
from slipway.training.refit import checked_rows, doubt
from slipway.training.train import concluded
from slipway.training.verdict.champion import Champions

UNKNOWN = "the model was imported: the rows that it learned from are unknown"
CLONE = f"{UNKNOWN}, and all figures are those of a clone that learned from {{}} rows"


@dataclass(frozen=True)
class Brought(Fitted):
    """A pipeline that was fitted elsewhere; it answers by itself, and what is exported has to answer the same."""

    pipeline: Any = None
    names: tuple[str, ...] = ()

    def scores(self, columns: Columns) -> np.ndarray:
        frame = frame_of(ordered(self.encoding.schema, self.names), columns)
        rows = frame if self.names else frame.to_numpy()
        ask = self.pipeline.predict_proba if self.classes else self.pipeline.predict
        try:
            answers = np.asarray(ask(rows), dtype=np.float64)
        except Exception as error:  # it is a person's pipeline
            told = f"the pipeline cannot answer the rows of the table: {first_line(error)}"
            raise TableError(
                told, "Compare the columns with those it learned from, and the versions of the libraries"
            ) from error
        return answers[:, 1] if self.classes == 2 else answers


def import_model(problem: Problem, given: Pickled, store: LocalStore) -> Outcome:
    """Write the bundle of a fitted pipeline, let its clone pass the gate, and note the verdict.

    Parameters
    ----------
    problem : Problem
        Whose source is the table.
    given : Pickled
    store : LocalStore

    Raises
    ------
    TableError
        When the table does not fit the pipeline, or a part of it cannot be exported exactly.
    """
    begun, pipeline = time.monotonic(), given.pipeline
    estimator = parts_of(pipeline)[1]
    exported_as(estimator)
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise TableError("the pipeline is not fitted", "To fit it here, name it in candidates (docs/models.md)") from error
    names = _read_by(pipeline, problem.target)
    problem = _restricted(problem, names, estimator)
    kept, champions = KeptData(store.root / "data"), Champions(store)
    with kept.in_use(), one_thread():
        table = read(problem, champions.columns_needed(), kept if problem.data.keep else None)
        trial = Trial(IMPORTED, {"estimator": type(estimator).__name__})
        brought = _brought(pipeline, names, trial, table)
        CANDIDATES[IMPORTED] = candidate_of(pipeline, names)
        made, found = _made(problem, table, brought)
        says = CLONE.format(f"{int(table.used.sum()):,}") if made.judged else UNKNOWN
        outcome = concluded(problem, store, champions, table, made, found, begun, (says, *given.remarks))
    kept.prune(problem.data.keep, problem.data.max_bytes, champions.data())
    return outcome


def _read_by(pipeline: Any, target: str) -> tuple[str, ...]:
    """The columns that a pipeline was fitted on, in its order; none when it does not know their names."""
    for part in (pipeline, *parts_of(pipeline)[0][:1]):
        found = getattr(part, "feature_names_in_", None)
        if found is not None:
            return tuple(str(name) for name in found if name != target)
    return ()


def _restricted(problem: Problem, names: Sequence[str], estimator: Any) -> Problem:
    """The problem with the columns and the order of classes that the pipeline has."""
    if names:
        others = {problem.target, problem.time, *problem.id, *problem.group, *problem.drop, *names}
        unread = [name for name in open_source(problem).names if name not in others]
        problem = replace(problem, drop=(*problem.drop, *unread))
    if is_classifier(estimator) and len(estimator.classes_) == 2 and problem.positive is None:
        problem = replace(problem, positive=shown(estimator.classes_[1]))
    return problem


def _brought(pipeline: Any, names: tuple[str, ...], trial: Trial, table: Table) -> Brought:
    steps, estimator = parts_of(pipeline)
    classes = tuple(map(shown, estimator.classes_)) if is_classifier(estimator) else ()
    if classes != table.rows.classes:
        there, wanted = (", ".join(each) or "numbers" for each in (classes, table.rows.classes))
        cure = "Set positive or task in slipway.yaml, or fit the pipeline to the target as the table has it"
        raise TableError(f"the pipeline answers {there}, but the target is {wanted}", cure)
    try:
        encoding = encoding_of(steps, ordered(table.rows.schema, names))
    except AttributeError as error:
        raise TableError(f"a step of the pipeline is not fitted, or of another version: {error}") from error
    return Brought(trial, estimator, encoding, len(classes), pipeline, names)


def _made(problem: Problem, table: Table, brought: Brought) -> tuple[Challenger, Found]:
    """The challenger: judged by a clone if there can be one."""
    goal = table.goal
    try:
        found = search(table.learned, [brought.trial], goal, 1)
        entry = found.entries[0]
        clone = fit(brought.trial, table.learned, goal.seed)
        twin = draft(table, entry, clone, "twin", len(table.learned.y), ())
        wrong = disagreeing(clone, Predictor(twin), table.unseen)
    except Exception as error:  # it is a person's pipeline, which may do without being cloned
        return _unjudged(problem, table, brought, f"a clone cannot be fitted ({first_line(error)})")
    if wrong:
        return _unjudged(problem, table, brought, f"the clone's export is not exact: {wrong}")
    served = _served(table, entry, brought)
    before, after = (scored_by(table, Predictor(each)) for each in (twin, served))
    units = table.units(table.held)
    holdout = evidence.holdout_metrics(table.rows.task, before, table.learned, problem.gate.confidence, goal, units)
    if reason := doubt(goal, before, after, holdout.metrics[goal.metric]):
        return _unjudged(problem, table, brought, f"its clone is another model: {reason}")
    return Challenger(entry, served, twin, holdout, {}), found


def _unjudged(problem: Problem, table: Table, brought: Brought, why: str) -> tuple[Challenger, Found]:
    goal, task = table.goal, table.rows.task
    learned = table.learned
    entry = Entry(brought.trial, np.nan, np.nan, goal.threshold(task, learned.y, brought.scores(learned.columns)))
    served = _served(table, entry, brought)
    units = table.units(table.held)
    holdout = evidence.holdout_metrics(
        task, scored_by(table, Predictor(served)), learned, problem.gate.confidence, goal, units
    )
    return Challenger(entry, served, served, holdout, {}, why, judged=False), Found([], [])


def _served(table: Table, entry: Entry, brought: Brought) -> Draft:
    served = draft(table, entry, brought, "model", len(table.learned.y), ())  # how many rows: the clone's
    if wrong := disagreeing(brought, Predictor(served), checked_rows(table)):
        raise TableError(f"the pipeline cannot be exported exactly: {wrong}", "Tell its steps and versions in an issue")
    return served
