"""Fits in worker processes with one thread each.

One thread per fit makes the sums, and with them the bundle's digest, independent of the number of cores; all cores
are used by several fits at once.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from threading import Thread
from types import TracebackType

import numpy as np

from slipway.threads import one_thread
from slipway.training.data.folds import Fold
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import stages


@dataclass(frozen=True)
class Job:
    """One fit of a trial.

    Parameters
    ----------
    number : int
        Of the trial in its round.
    trial : Trial
    fold : int
        Number of the fold whose rows are held out.
    part : int
        The most rows that it learns from.
    """

    number: int
    trial: Trial
    fold: int
    part: int


@dataclass(frozen=True)
class Work:
    """What all fits share."""

    rows: Rows
    folds: Sequence[Fold]
    seed: int

    def stages(self, job: Job) -> dict[int, np.ndarray]:
        """The answers of one fit to the rows held out, by the number of iterations."""
        learned, held = self.folds[job.fold]
        some = learned[part_of(self.rows, learned, job.part, self.seed)]
        return stages(job.trial, self.rows.take(some), self.rows.take(held), self.seed)


def part_of(rows: Rows, learned: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which of the rows learned from are in a part of so many: drawn at random, the same share of each class."""
    if most >= len(learned):
        return np.arange(len(learned))
    order = np.random.default_rng(seed).permutation(len(learned))
    if rows.task == "regression":
        return np.sort(order[:most])
    codes = rows.y[learned][order]
    counts = {code: int(np.ceil(most * (codes == code).mean())) for code in np.unique(codes)}
    return np.sort(np.concatenate([order[codes == code][:count] for code, count in counts.items()]))


class Workers:
    """A context that makes the fits it is asked for."""

    def __init__(self, work: Work, jobs: int) -> None:
        self._work = work
        self._pool = ProcessPoolExecutor(jobs, _context(), _start_worker, (work,)) if jobs > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, np.ndarray]]]:
        """Each job and what came of it, as they are done."""
        if self._pool is None:
            yield from ((job, self._work.stages(job)) for job in jobs)
            return
        for future in as_completed([self._pool.submit(_fit, job) for job in jobs]):
            yield future.result()


_shared: list[Work] = []  # one of them in each worker


def _start_worker(work: Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    one_thread()  # for the life of this process
    Thread(target=_end_with_parent, daemon=True).start()
    _shared[:] = [work]


def _end_with_parent() -> None:
    """Do not outlive a training that was killed, waiting for work that never comes."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _fit(job: Job) -> tuple[Job, dict[int, np.ndarray]]:
    (work,) = _shared
    return job, work.stages(job)


def _context() -> BaseContext:
    """Fork from a server that has the libraries loaded; Windows has none and starts afresh."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
