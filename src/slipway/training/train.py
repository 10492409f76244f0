"""One training: table → challenger → bundle → verdict."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow

from slipway.errors import BundleError
from slipway.model.bundle import Bundle
from slipway.model.changes import changes
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.store.journal import entry
from slipway.store.local import LocalStore, open_store
from slipway.store.pointer import Pointer
from slipway.store.snapshots import KeptData
from slipway.threads import cores, one_thread
from slipway.training.candidates import find, skewed, trials
from slipway.training.challenger import challenger, documents
from slipway.training.champion import Champions, Incomparable, common_rows
from slipway.training.compare import baseline_scored
from slipway.training.curve import worth_learning
from slipway.training.dataset import Table, read, read_kept, remarks
from slipway.training.doubts import doubts
from slipway.training.gate import Verdict, judge
from slipway.training.latency import row_microseconds
from slipway.training.leaks import suspects
from slipway.training.looks import Looks, held_rows, looks_of
from slipway.training.metrics import Scored
from slipway.training.outcome import Outcome
from slipway.training.search import Step, search

UNRIVALLED = "there was no champion to compare with"  # the pointer keeps it, so it must stay true afterwards


def train(
    problem: Problem,
    store: LocalStore | None = None,
    inputs: str | None = None,
    jobs: int | None = None,
    progress: Callable[[Step], None] = lambda step: None,
    reading: Callable[[int, int | None], None] = lambda done, total: None,
    data: str | None = None,
    given: pyarrow.Table | None = None,
) -> Outcome:
    """Train, keep what was read, write the bundle, pass the gate, and note the verdict in the journal.

    Parameters
    ----------
    problem : Problem
    store : LocalStore, optional
        By default ``artifacts/`` beside slipway.yaml.
    inputs : str or None
        Fingerprint of what this training starts from (`slipway.training.inputs`), for the journal; None when the source
        has none.
    jobs : int, optional
        Worker processes; one per core by default.
    progress : callable
        Told after each fit of the search.
    reading : callable
        Told (rows read, about how many there are).
    data : str, optional
        Fingerprint of data that an earlier training kept, to learn from it instead of the source.
    given : pyarrow.Table, optional
        A table in memory to learn from instead of the source.

    Raises
    ------
    TableError
        When the table does not fit the problem, or no candidate can be exported exactly.
    """
    find(problem)
    store = store or open_store(problem.folder)
    kept, champions = KeptData(store.root / "data"), Champions(store)
    with kept.in_use(), one_thread():  # a notebook's libraries were loaded before anything could pin them
        if data:
            table = read_kept(problem, kept, data)
        else:
            table = read(problem, champions.columns_needed(), kept if problem.data.keep else None, reading, given)
        outcome = _learned(problem, store, champions, table, inputs, jobs or cores(), progress)
    kept.prune(problem.data.keep, problem.data.max_bytes, champions.data())
    return outcome


def _learned(
    problem: Problem,
    store: LocalStore,
    champions: Champions,
    table: Table,
    inputs: str | None,
    jobs: int,
    progress: Callable[[Step], None],
) -> Outcome:
    log_target = table.rows.task == "regression" and skewed(table.learned.y)
    table, learned = worth_learning(table, problem.candidates, log_target)
    tried = problem.search.trials, table.rows.task, problem.seed, log_target, int(table.used.sum())
    compared = trials(problem.candidates, *tried)
    found = search(table.learned, compared, table.goal, jobs, progress, problem.serving.max_row_microseconds)
    leaks = suspects(table.learned)
    remarked = [*remarks(table), *map(str, leaks), *learned, *found.remarks]
    made = challenger(table, found.entries, problem.gate.confidence)
    bundle = store.add(problem.name, documents(problem, table, made, found.entries, remarked), made.judging)
    pointer = store.pointer()
    verdict = _verdict(problem, table, bundle, champions, pointer, looks_of(problem, store))
    for doubt in doubts(table, leaks, champions.bundle(pointer)):
        if verdict.promoted:
            verdict = verdict.refused(f"{doubt}. To serve it anyway: slipway promote {bundle.digest[:12]}")
    champion = pointer.digest if pointer else None
    latency = row_microseconds(Predictor(bundle), table.unseen.columns)
    looked = {"look": verdict.look.to_json()} if verdict.look else {}
    decision = entry("verdict", bundle, champion, verdict.to_json(), inputs=inputs, latency_us=latency, **looked)
    store.decide(decision, {"against": champion} | changes(champions.bundle(pointer), bundle))
    return Outcome(bundle, verdict, champion, latency)


def _verdict(
    problem: Problem, table: Table, bundle: Bundle, champions: Champions, pointer: Pointer | None, looks: Looks
) -> Verdict:
    unrivalled = partial(_judged, problem, table, bundle, looks, None, None, table.held)
    promote = f"to serve it anyway: slipway promote {bundle.digest[:12]}"
    if pointer is None:
        verdict = unrivalled()
        return verdict.because(UNRIVALLED) if verdict.promoted else verdict.advising(promote)
    if pointer.digest == bundle.digest:
        return Verdict("kept", ("the challenger is the champion: same data, same problem, same bundle",))
    if pointer.problem != problem.name:
        return unrivalled().because(f"{UNRIVALLED}: {pointer.digest[:12]} is of the problem {pointer.problem}")
    try:
        champion = champions.load(pointer)
    except BundleError as error:
        return unrivalled().because(f"{UNRIVALLED}: {pointer.digest[:12]} is broken ({error.cause})")
    try:
        both = common_rows(champion, table.frame)
        scores = champion.scores(table.frame[both], table.rows.task, table.rows.classes, problem.markers)
    except Incomparable as reason:
        return Verdict("kept", (f"they cannot be compared: {reason}", promote))
    common = table.held.copy()
    common[table.held] = both
    rival = table.goal.scored(table.rows.y[common], scores, champion.twin.threshold)
    return _judged(problem, table, bundle, looks, pointer.digest, rival, common)


def _judged(
    problem: Problem,
    table: Table,
    bundle: Bundle,
    looks: Looks,
    digest: str | None,
    champion: Scored | None,
    common: np.ndarray,
) -> Verdict:
    rows, goal, predictor = table.rows.take(common), table.goal, Predictor(bundle.twin())
    scored = goal.scored(rows.y, predictor.scores(rows.columns), predictor.threshold)
    held = held_rows(table.frame[common[table.held]], rows.schema, problem.id)
    look = looks.next(bundle.digest, digest, held, datetime.now(UTC))
    return judge(goal, scored, champion, baseline_scored(table.learned, rows.y, goal), problem.gate, look)
