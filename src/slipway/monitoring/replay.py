"""A challenger over what production was asked: the rows of the log answered again by it and by the champion.

Rows are read file by file, some at a time. What is kept of them are counts, how far each answer moved, and the losses of
labelled rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import numpy as np
import pyarrow
from pyarrow import compute

from slipway.errors import StoreError
from slipway.model.bundle import Bundle
from slipway.model.evaluation import Intervals, evaluation_of
from slipway.model.predictor import close
from slipway.model.scoring import Answers
from slipway.monitoring.bins import LABEL, SCORE, columns_of
from slipway.monitoring.contender import Contender, contender_of
from slipway.monitoring.flips import Flips, Pairs, pairs_of_labels, pairs_of_numbers
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.learned import learned_of, merged, unlike, untold
from slipway.monitoring.logged_rows import ANSWER, LoggedRows, answers_of, contents_of, read_in_pieces
from slipway.monitoring.partitions import ROWS, Log, Part
from slipway.monitoring.rematch import Losses, Rematch, Side, scores_of, twin_of
from slipway.monitoring.replayed import Replay
from slipway.monitoring.row_keys import id_keys, places, request_keys
from slipway.problem import Problem
from slipway.store.local import LocalStore
from slipway.store.snapshots import KeptData
from slipway.table.identity import row_hashes

TOGETHER = 1 << 20  # cells


def replay(
    problem: Problem,
    store: LocalStore,
    log: Log,
    challenger: Bundle,
    days: int,
    now: datetime,
    champion: Bundle | None = None,
) -> Replay | None:
    """Answer the rows of the last whole days, and of today so far, again; None when none was logged.

    Parameters
    ----------
    problem : Problem
    store : LocalStore
    log : Log
        Collected.
    challenger : Bundle
    days : int
    now : datetime
        In UTC.
    champion : Bundle, optional
        What the challenger is compared with; by default the champion, or the one before if the challenger is the champion.

    Raises
    ------
    StoreError
        When there is no champion, or the log cannot be read.
    BundleError
        When one of the two does not load.
    """
    first, last = now.date() - timedelta(days), now.date()
    parts = [part for part in log.parts(ROWS) if first <= part.day <= last]
    if not parts:
        return None
    sides = (contender_of(champion or _rival(store, challenger), problem), contender_of(challenger, problem))
    contents = [contents_of(log.path(ROWS, part)) for part in parts]
    rows, logged = sum(count for count, _ in contents), {name for _, names in contents for name in names}
    target = sides[1].predictor.target
    found = Replay(sides[0].name, sides[1].name, target, days, first, last, rows, confidence=problem.gate.confidence)
    if obstacle := _other_task(sides):
        return replace(found, obstacle=obstacle)
    if lacking := _lacking(sides, logged, problem):
        return replace(found, obstacle=_said(lacking), omitted=tuple(lacking))
    return _replayed(found, problem, store, log, parts, sides)


def _rival(store: LocalStore, challenger: Bundle) -> Bundle:
    """The champion, or the one before if the challenger is the champion."""
    digest = store.require_pointer().digest
    if digest == challenger.digest:
        try:
            digest = store.previous()
        except StoreError as error:
            says = f"{digest[:12]} is the champion, and the journal has none before it"
            raise StoreError(
                says, "Compare another bundle with it: slipway replay DIGEST; slipway status lists them"
            ) from error
    found = store.bundle(digest)
    found.require_problem(challenger.problem)
    return found


Two = tuple[Contender, Contender]


def _other_task(sides: Two) -> str:
    """Why the answers of the two cannot be compared; empty when they can."""
    one, other = (side.predictor for side in sides)
    if bool(one.classes) == bool(other.classes) and one.target == other.target:
        return ""
    return f"the champion answers {one.task} of {one.target}, the challenger {other.task} of {other.target}"


def _lacking(sides: Two, logged: set[str], problem: Problem) -> dict[str, str]:
    """Columns that one of the two reads and the log does not have as they were → why."""
    found = {}
    known = set(sides[0].needed)
    for side in sides:
        for rule in side.rules:
            name = rule.field.name
            if name in problem.log.omit or name in problem.log.hash:
                found[name] = f"log.{'omit' if name in problem.log.omit else 'hash'}"
            elif name not in logged and (name not in known or not rule.field.optional):
                found[name] = "no logged row has it"
    return found


def _said(lacking: dict[str, str]) -> str:
    listed = ", ".join(f"{name} ({why})" for name, why in lacking.items())
    return f"a model reads columns that the log does not have as they were: {listed}"


@dataclass
class _Reading:
    """What was counted in the rows so far."""

    sides: Two
    intervals: Intervals | None
    flips: Flips
    losses: Losses | None
    others: int = 0
    asked: float = 0.0
    strayed: int = 0
    own: int = 0
    refused: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, part: Part, rows: LoggedRows, labels: pyarrow.ChunkedArray | None, units: np.ndarray) -> None:
        """Add rows of a file, with their labels, null where none is known, and numbers of those that belong together."""
        weights = 1 / rows.calls.column("share").to_numpy()
        self.asked += float(weights.sum())
        answers = [side.answers(rows) for side in self.sides]
        answered = [_mask(each, len(rows)) for each in answers]
        for side, mask in enumerate(answered):
            self.refused[side] += int((~mask).sum())
        if part.bundle == self.sides[0].name:
            self._add_strayed(rows, answers[0], answered[0])
        else:
            self.others += len(rows)
        both = answered[0] & answered[1]
        common = [_only(each, both[mask]) for each, mask in zip(answers, answered)]
        chosen = rows.filter(pyarrow.array(both))
        calls = chosen.calls.column("id").to_pylist(), chosen.calls.column("number").to_pylist()
        self.flips.add(self._pairs(common), weights[both], common[1].columns, calls)
        if self.losses and labels is not None:
            told = labels.filter(pyarrow.array(both))
            has = told.is_valid().to_numpy()
            few = [_only(each, has) for each in common]
            if has.any():
                self.losses.add(chosen.filter(pyarrow.array(has)), told.drop_null(), units[both][has], few)

    def _add_strayed(self, rows: LoggedRows, answers: Answers, answered: np.ndarray) -> None:
        logged, now = answers_of(rows.calls.column(ANSWER))[answered], scores_of(answers)
        close_by = np.asarray(close(logged, now))
        same = np.all(close_by, axis=tuple(range(1, close_by.ndim)))
        self.own += len(now)
        self.strayed += int((~same).sum())

    def _pairs(self, answers: Sequence[Answers]) -> Pairs:
        one, other = (side.predictor for side in self.sides)
        if one.classes:
            return pairs_of_labels(answers[0], answers[1], one.classes, other.classes)
        return pairs_of_numbers(answers[0].values, answers[1].values, self.intervals)


def _replayed(found: Replay, problem: Problem, store: LocalStore, log: Log, parts: Sequence[Part], sides: Two) -> Replay:
    labels = in_force(log)
    told = labels.column("label")
    losses, why = _losses(sides, problem, store) if labels.num_rows else (None, "")
    watched = [column for column in columns_of(sides[1].bundle) if column.key not in (SCORE, LABEL)]
    evaluation = evaluation_of(sides[0].bundle)
    reading = _Reading(sides, evaluation.intervals if evaluation else None, Flips(watched), losses)
    wanted = {*sides[0].needed, *sides[1].needed, *problem.id, *problem.group}
    wanted |= {name for side in sides for name in side.predictor.model.split.needed}
    some_labelled = 0
    for part in parts:
        for rows in read_in_pieces(log.path(ROWS, part), sorted(wanted), TOGETHER // len(wanted) + 1):
            at = places(rows, problem.id, labels)
            some_labelled += len(rows) - at.null_count
            reading.add(part, rows, told.take(at) if losses else None, _units(rows, problem))
    if not some_labelled:
        rematch = None
    elif losses:
        rematch = losses.result(problem.gate.confidence, why)
    else:
        rematch = Rematch(some_labelled, why=why)
    return replace(
        found,
        others=reading.others,
        asked=reading.asked,
        strayed=(reading.strayed, reading.own),
        refused=(reading.refused[0], reading.refused[1]),
        flips=reading.flips,
        rematch=rematch,
    )


def _losses(sides: Two, problem: Problem, store: LocalStore) -> tuple[Losses | None, str]:
    """Where to add losses, None where nothing is known of what was learned; and why rows or twins cannot be compared."""
    logged = {*sides[0].needed, *sides[1].needed, *problem.id}
    private = {*problem.log.omit, *problem.log.hash}
    for side in sides:
        if why := untold(side.predictor.model.split, logged, private):
            return None, why
    if why := unlike(sides[0].predictor.model.split, sides[1].predictor.model.split, problem.group):
        return None, why
    kept = KeptData(store.root / "data")
    twins = [twin_of(side) for side in sides]
    one, other = (Side(side, twin) for side, (twin, _) in zip(sides, twins))
    learned = merged(*(learned_of(side.bundle, kept) for side in sides))
    return Losses((one, other), learned), next((why for _, why in twins if why), "")


def _units(rows: LoggedRows, problem: Problem) -> np.ndarray:
    """The same number for rows with the same ids, or of the same group; without them each row is by itself."""
    keys = request_keys(rows)
    by_id = id_keys(rows, problem.group or problem.id)
    keys = keys if by_id is None else compute.coalesce(by_id, keys)
    return row_hashes(pyarrow.table({"key": keys}), ["key"])


def _mask(answers: Answers, count: int) -> np.ndarray:
    """The rows that were answered."""
    mask = np.full(count, answers.chosen is None)
    if answers.chosen is not None:
        mask[answers.chosen] = True
    return mask


def _only(answers: Answers, mask: np.ndarray) -> Answers:
    """The answers to some of the rows that were answered."""
    if mask.all():
        return answers
    shares = None if answers.probabilities is None else answers.probabilities[mask]
    columns = {name: values[mask] for name, values in answers.columns.items()}
    return msgspec.structs.replace(answers, values=answers.values[mask], probabilities=shares, columns=columns)
