"""One look at production: what was answered, what moved, whether it is worse, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow

from slipway.model.bundle import Bundle
from slipway.model.contents import Model, metrics_of, model_of, schema_of
from slipway.model.reference import Reference, reference_of
from slipway.monitoring.arrivals import arrivals
from slipway.monitoring.bins import LABEL, SCORE, Column, columns_of
from slipway.monitoring.decision import COOL_DOWN, DAY, Decision, Evidence, decide, importance_of
from slipway.monitoring.drift import LONGEST, Look, look
from slipway.monitoring.estimate import Expected, expected
from slipway.monitoring.guards import doubts
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.loss import LiveLoss, live_loss
from slipway.monitoring.memory import recalled, remember
from slipway.monitoring.partitions import ROWS, Log
from slipway.monitoring.plain_rule import Judged, judge
from slipway.monitoring.production import Traffic, as_days, traffic, watched
from slipway.monitoring.tallies import Losses
from slipway.monitoring.tallies import losses as losses_of
from slipway.monitoring.words import sentence
from slipway.problem import Problem
from slipway.store.local import LocalStore
from slipway.store.verdicts import Verdict


@dataclass(frozen=True)
class Watched:
    """What one look found.

    Parameters
    ----------
    problem : str
    bundle : Bundle
    at : datetime
        In UTC.
    days : tuple of Traffic
        Of the last 28 whole days, those on which the bundle was asked anything.
    look : Look or None
    losses : Losses
    loss : LiveLoss or None
        Against what is allowed; None without labels.
    estimate : mapping of str to Expected
        The losses that the answers of the window let expect.
    importance : mapping of str to float
    decision : Decision
    trained, tried : date
        When the champion was decided, and when a challenger was last judged, be it kept.
    plain : Judged or None
        What became of `retrain_when`; None without one.
    """

    problem: str
    bundle: Bundle
    at: datetime
    days: tuple[Traffic, ...]
    look: Look | None
    losses: Losses
    loss: LiveLoss | None
    estimate: Mapping[str, Expected]
    importance: Mapping[str, float]
    decision: Decision
    trained: date
    tried: date
    plain: Judged | None = None

    @property
    def rows(self) -> int:
        """Answered in these days."""
        return sum(day.rows for day in self.days)

    @property
    def sentences(self) -> list[str]:
        """One for each column that moved, the largest effect first."""
        flagged = sorted(self.look.flagged, key=lambda move: -move.effect) if self.look else []
        answers = any(move.column.key in (SCORE, LABEL) for move in flagged)
        worse = self.loss.crossed if self.loss else None
        return [sentence(move, importance_of(move, self.importance), answers, worse) for move in flagged]


def watch(
    problem: Problem, store: LocalStore, log: Log, now: datetime, journal: Sequence[Mapping[str, Any]] | None = None
) -> Watched:
    """Look at the last 28 whole days of the champion, and remember the look for the next one.

    Parameters
    ----------
    problem : Problem
    store : LocalStore
        With the champion.
    log : Log
        Collected.
    now : datetime
        In UTC.
    journal : sequence of mapping, optional
        Its lines, those of other machines among them; by default those of this one.

    Raises
    ------
    StoreError
        When there is no champion, or the log cannot be read.
    BundleError
        When a document of the champion is invalid.
    """
    pointer = store.require_pointer()
    bundle = store.bundle(pointer.digest)
    model, measured, today = model_of(bundle), metrics_of(bundle), now.date()
    columns, days = _days(problem, log, bundle, model, today)
    state = recalled(log, bundle.digest)
    found = look(columns, as_days(days), state.looks) if days else None
    reference = reference_of(bundle) if bundle.has("live.json") else None
    labels = in_force(log)
    losses = losses_of(log, labels, problem.id, model, bundle.digest, today)
    loss = _loss(reference, losses)
    importance = measured.shares
    journal = store.journal.entries() if journal is None else journal
    trained, tried = _trainings(store.verdict(pointer), journal, today)
    evidence = Evidence(
        today=today,
        last=max((day.day for day in days if day.rows), default=None),
        look=found,
        loss=loss,
        importance=importance,
        trained=trained,
        tried=tried,
        known=bool(state.looks),
        learned=model.rows.training,
        labelled=losses.labelled,
        plain=_plain(problem, log, labels, losses, model, bundle.digest),
        doubts=doubts(arrivals(log, labels, problem.id, today), model.classes),
        pause=_pause(log, today),
    )
    if found and found.suspects:
        remember(log, state.with_looks([found.suspects]))
    estimate = _estimate(reference, model, days, found)
    told = decide(evidence)
    return Watched(
        problem.name, bundle, now, tuple(days), found, losses, loss, estimate, importance, told, trained, tried, evidence.plain
    )


def _days(problem: Problem, log: Log, bundle: Bundle, model: Model, today: date) -> tuple[tuple[Column, ...], list[Traffic]]:
    """The columns that are watched, and the days on which the bundle was asked anything."""
    columns = watched(columns_of(bundle), {*problem.log.omit, *problem.log.hash})
    first = today - timedelta(LONGEST)
    return columns, traffic(log, bundle.digest, columns, schema_of(bundle), model, first, today)


def _pause(log: Log, today: date) -> timedelta:
    """The longest from one day with answered rows to the next, of the window and all bundles: a new one rests as they did."""
    days = sorted({part.day for part in log.parts(ROWS) if today - timedelta(LONGEST) <= part.day < today})
    return max((after - before for before, after in pairwise(days)), default=DAY)


def _trainings(verdict: Verdict, journal: Sequence[Mapping[str, Any]], today: date) -> tuple[date, date]:
    """When the champion was decided, and when a challenger was last judged, be it kept.

    Where nobody said the first, or a clock was wrong, it is the second; where none is known, both are long enough ago.
    """
    tried = last_training(verdict, journal, today) or today - COOL_DOWN
    return last_training(verdict, (), today) or tried, tried


def last_training(verdict: Verdict, journal: Sequence[Mapping[str, Any]], today: date) -> date | None:
    """The day of the last verdict, that on the champion among them; None if none is known. Those of the future are none."""
    days = map(_day, [verdict, *(each for each in journal if each.get("event") == "verdict")])
    return max((day for day in days if day and day <= today), default=None)


def _plain(problem: Problem, log: Log, labels: pyarrow.Table, losses: Losses, model: Model, digest: str) -> Judged | None:
    """What the rule of slipway.yaml says, if there is one."""
    if problem.retrain_when is None:
        return None
    return judge(problem.retrain_when, losses.cohorts.matured, log, labels, problem.id, model, digest)


def _loss(reference: Reference | None, losses: Losses) -> LiveLoss | None:
    """The loss against what is allowed; None without labelled rows, or of a bundle that does not say what is usual."""
    usual = reference.losses.get(losses.name) if reference else None
    return live_loss(losses.days, usual, reference.rows) if reference and usual and losses.days else None


def _estimate(
    reference: Reference | None, model: Model, days: Sequence[Traffic], found: Look | None
) -> Mapping[str, Expected]:
    if reference is None or found is None:
        return {}
    answers = [each for day in days[-found.days :] for each in day.answers if len(each)]
    return expected(reference, model, np.concatenate(answers)) if answers else {}


def _day(entry: Mapping[str, object]) -> date | None:
    """When a line of the journal, or of verdict.json, was written."""
    try:
        return date.fromisoformat(str(entry.get("at", ""))[:10])
    except ValueError:
        return None
