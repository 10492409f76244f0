"""Fits in worker processes with one thread each.

One thread per fit makes the sums, and with them the bundle's digest, independent of the number of cores; all cores
are used by several fits at once.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import Any, Generic, TypeVar

from slipway.threads import one_thread
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.fitting.fitted import Blended, Fitted, fit_one, joined
from slipway.training.fitting.forks import context

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Workers(Generic[Job, Answer]):
    """A context that answers jobs.

    Parameters
    ----------
    work : callable
        From a job to its answer. What it is bound to is sent to each process once.
    jobs : int
        How many processes; with one, this process itself.
    """

    def __init__(self, work: Callable[[Job], Answer], jobs: int) -> None:
        self._work = work
        self._pool = ProcessPoolExecutor(jobs, context(), _start_worker, (work,)) if jobs > 1 else None

    def __enter__(self) -> "Workers[Job, Answer]":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Answer]]:
        """Each job and what came of it, as they are done."""
        if self._pool is None:
            yield from ((job, self._work(job)) for job in jobs)
            return
        for future in as_completed([self._pool.submit(_answered, job) for job in jobs]):
            yield future.result()


@dataclass(frozen=True)
class _Parts:
    parts: Sequence[Rows]
    trials: Sequence[Trial]
    seed: int

    def fitted(self, job: tuple[int, int]) -> Fitted:
        part, trial = job
        return fit_one(self.trials[trial], self.parts[part], self.seed)


def fit_all(trial: Trial | Blend, parts: Sequence[Rows], seed: int, jobs: int) -> list[Fitted | Blended]:
    """Learn from each of these parts of a table; the members of a blend are fitted side by side, too."""
    largest = sorted(range(len(parts)), key=lambda part: -len(parts[part].y))  # first: nobody waits for it at the end
    asked = [(part, number) for part in largest for number in range(len(trial.trials))]
    with Workers(_Parts(parts, trial.trials, seed).fitted, min(jobs, len(asked))) as workers:
        found = dict(workers.run(asked))
    return [joined(trial, [found[part, number] for number in range(len(trial.trials))]) for part in range(len(parts))]


_shared: list[Callable[[Any], Any]] = []  # one of them in each worker


def _start_worker(work: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    one_thread()  # for the life of this process
    Thread(target=_end_with_parent, daemon=True).start()
    _shared[:] = [work]


def _end_with_parent() -> None:
    """Do not outlive a training that was killed, waiting for work that never comes."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _answered(job: Any) -> tuple[Any, Any]:
    (work,) = _shared
    return job, work(job)
