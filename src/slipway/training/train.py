"""One training: table → challenger → bundle → verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import pyarrow

from slipway.model.changes import changes
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.store.journal import entry
from slipway.store.local import LocalStore, open_store
from slipway.store.snapshots import KeptData
from slipway.threads import cores, one_thread
from slipway.training.challenger import Challenger, challenger, documents
from slipway.training.comparison.curve import worth_learning
from slipway.training.comparison.search import Found, Step, search
from slipway.training.comparison.speed import Speed
from slipway.training.comparison.start import with_start
from slipway.training.data.dataset import Table, read, read_kept, remarks
from slipway.training.fitting.candidates import find, skewed, trials
from slipway.training.fitting.preprocessing import columns_of_levels
from slipway.training.fitting.xgboost_trees import library
from slipway.training.inspection.leaks import suspects
from slipway.training.latency import row_microseconds
from slipway.training.outcome import Outcome
from slipway.training.verdict.champion import Champions
from slipway.training.verdict.court import Court
from slipway.training.verdict.looks import looks_of
from slipway.training.whole.whole_table import from_all_rows


def train(
    problem: Problem,
    store: LocalStore | None = None,
    inputs: Mapping[str, str] | None = None,
    jobs: int | None = None,
    progress: Callable[[Step], None] = lambda step: None,
    reading: Callable[[int, int | None], None] = lambda done, total: None,
    data: str | None = None,
    given: pyarrow.Table | None = None,
    cohort: Mapping[date, pyarrow.Table] | None = None,
) -> Outcome:
    """Train, keep what was read, write the bundle, pass the gate, and note the verdict in the journal.

    Parameters
    ----------
    problem : Problem
    store : LocalStore, optional
        By default ``artifacts/`` beside slipway.yaml.
    inputs : mapping or None
        Fingerprints of what this training starts from (`slipway.training.inputs`), for the journal; None when the source
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
    cohort : mapping of date to pyarrow.Table, optional
        Labelled rows of production for the gate by their day, the newest first; None where nothing is logged.

    Raises
    ------
    TableError
        When the table does not fit the problem, or no candidate can be exported exactly.
    """
    begun = time.monotonic()
    find(problem)
    if problem.search.engine == "spark":
        library()  # missing, it would be missed at the end of a long search
    store = store or open_store(problem.folder)
    kept, champions = KeptData(store.root / "data"), Champions(store)
    with kept.in_use(), one_thread():  # a notebook's libraries were loaded before anything could pin them
        if data:
            table = read_kept(problem, kept, data)
        else:
            table = read(problem, champions.columns_needed(), kept if problem.data.keep else None, reading, given)
        outcome = _learned(problem, store, champions, table, begun, inputs, jobs or cores(), progress, cohort)
    kept.prune(problem.data.keep, problem.data.max_bytes, champions.data())
    return outcome


def _learned(
    problem: Problem,
    store: LocalStore,
    champions: Champions,
    table: Table,
    begun: float,
    inputs: Mapping[str, str] | None,
    jobs: int,
    progress: Callable[[Step], None],
    cohort: Mapping[date, pyarrow.Table] | None,
) -> Outcome:
    log_target = table.rows.task == "regression" and skewed(table.learned.y)
    worth = worth_learning(table, problem.candidates, log_target)
    table = worth.table
    task, rows, schema = table.rows.task, int(table.used.sum()), table.rows.schema
    size = rows, columns_of_levels(schema), rows * len(schema.names)
    tried = trials(problem.candidates, problem.search.trials, task, problem.seed, log_target, *size)
    compared, start = with_start(tried, champions.model(problem), problem, task, log_target)
    found = search(table.learned, compared, table.goal, jobs, progress, problem.serving.max_row_microseconds)
    whole = from_all_rows(problem, table, found.entries) if worth.more and table.checks is not None else None
    if whole:
        found = replace(found, entries=whole.placed(found.entries))
    made = challenger(table, found.entries, problem.gate.confidence, start, jobs, whole.models if whole else None)
    said = [*worth.said, *(whole.said if whole else [])]
    outcome = concluded(problem, store, champions, table, made, found, begun, said, inputs, jobs, cohort)
    return replace(outcome, estimated_us=Speed(table.learned).microseconds(made.entry.trial) if made.entry.trial else None)


def concluded(
    problem: Problem,
    store: LocalStore,
    champions: Champions,
    table: Table,
    made: Challenger,
    found: Found,
    begun: float,
    learned: Sequence[str] = (),
    inputs: Mapping[str, str] | None = None,
    jobs: int = 1,
    cohort: Mapping[date, pyarrow.Table] | None = None,
) -> Outcome:
    """Write the bundle, pass the gate, and note the verdict; what nothing judged is kept. `begun`: by the monotonic clock."""
    leaks = suspects(table.learned)
    remarked = [*remarks(table), *map(str, leaks), *learned, *found.remarks]
    bundle = store.add(problem.name, documents(problem, table, made, found.entries, remarked, jobs), made.judging)
    pointer = store.pointer()
    court = Court(problem, table, bundle, looks_of(problem, store), leaks, cohort)
    verdict = court.verdict(champions, pointer) if made.judged else court.refusal(f"it was not judged: {made.doubt}")
    champion = pointer.digest if pointer else None
    latency = row_microseconds(Predictor(bundle), table.unseen.columns)
    if pointer and not champions.bundle(pointer):
        inputs = None  # once the champion is here, --if-changed trains again
    looked = {"look": verdict.look.to_json()} if verdict.look else {}
    measured = {"latency_us": latency, "seconds": round(time.monotonic() - begun, 3)}
    decision = entry("verdict", bundle, champion, verdict.to_json(), inputs=inputs, **measured, **looked)
    told = {"against": champion, "sources": list(problem.source)}
    store.decide(decision, told | changes(champions.bundle(pointer), bundle) if verdict.promoted else None)
    return Outcome(bundle, verdict, champion, latency)
