"""Fourteen simulated days of a service: traffic, faults, late labels, and a look at the end of each."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np

from loop.checkouts import Checkouts
from loop.clock import Clock
from loop.disk import Disk
from loop.parcels import DRIFT, Parcel, parcels, write_labels
from loop.seeds import DAYS, START
from loop.service import Heard, Service, settled, wait
from slipway.model.event_log import SYNC_SECONDS
from slipway.monitoring.logged_rows import read_rows
from slipway.monitoring.partitions import ROWS, Log

DAILY = 500  # parcels
HOURS = (time(7), time(13), time(19))  # of the traffic
EVENING, MIDNIGHT = time(22), time(0, 5)


@dataclass(frozen=True)
class Plan:
    """How many days, and on which a worker is killed, the disk is full, and a table of labels comes twice."""

    days: int = DAYS
    killed: int = 3
    full: int = 5
    twice: int = 6


@dataclass(frozen=True)
class Day:
    """What one day had.

    Parameters
    ----------
    number : int
        From 1.
    heard : Heard
    dropped : int
        Answered rows that found no room in the log.
    labels : int
        New ones.
    look : dict
        The line of the journal.
    trained : str
        The outcome of the training that the look advised; empty without one.
    """

    number: int
    heard: Heard
    dropped: int
    labels: int
    look: dict[str, Any]
    trained: str

    @property
    def flagged(self) -> list[str]:
        """The columns that moved."""
        return [str(key).rpartition("/")[2] for key in self.look["figures"]["flagged"]]


@dataclass
class Fortnight:
    """All days, and what is to be compared in the end.

    Parameters
    ----------
    days : list of Day
    asked : list of Parcel
        In all days.
    delivered : set of str
        Ids of the parcels whose label arrived.
    again : dict
        What `slipway labels` said of the table that came twice.
    standing : dict
        What it said last.
    dropped : dict
        By reason, as /metrics counts it.
    logged : Counter
        Ids in the tables of the log, each as often as it is there.
    """

    days: list[Day] = field(default_factory=list)
    asked: list[Parcel] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    again: dict[str, int] = field(default_factory=dict)
    standing: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    logged: Counter[str] = field(default_factory=Counter)

    def heard(self) -> Heard:
        """Of all days."""
        whole = Heard()
        for day in self.days:
            whole.add(day.heard)
        return whole


@dataclass(frozen=True)
class Stage:
    """Where the days are played.

    Parameters
    ----------
    plan : Plan
    place : Path
        For tables of labels.
    learned : sequence of Parcel
        What the first model learned from.
    """

    plan: Plan
    place: Path
    clock: Clock
    disk: Disk
    checkouts: Checkouts
    service: Service
    learned: Sequence[Parcel]

    @property
    def log(self) -> Log:
        return Log(self.disk.folder)


def moment(day: int, at: time) -> datetime:
    """A time of a day, from 1."""
    return datetime.combine(START + timedelta(day - 1), at)


def play(stage: Stage, seed: int, tell: Callable[[Day], None]) -> Fortnight:
    """Play all days, and tell of each when it is over."""
    found, random = Fortnight(), np.random.default_rng(seed)
    for number in range(1, stage.plan.days + 1):
        asked = parcels(random, DAILY, f"day{number}", ferry=number >= DRIFT)
        heard, dropped = _traffic(stage, number, asked), sum(found.dropped.values())
        found.asked += asked
        found.dropped = stage.service.dropped()
        new = _labels(stage, number, found)
        look = _look(stage, number)
        trained = _train(stage, found) if look["train"] else ""
        day = Day(number, heard, sum(found.dropped.values()) - dropped, new, look, trained)
        found.days.append(day)
        tell(day)
    found.logged = _logged(stage.log)
    return found


def _traffic(stage: Stage, number: int, asked: Sequence[Parcel]) -> Heard:
    """Three times a day; at noon things go wrong."""
    heard, service, disk = Heard(), stage.service, stage.disk
    for turn, hour in enumerate(HOURS):
        stage.clock.set(moment(number, hour))
        noon, share = hour == HOURS[1], asked[turn :: len(HOURS)]
        if noon and number == stage.plan.full:
            workers = service.workers()
            disk.fill(workers)
            heard.add(service.ask(share))
            disk.free(workers)
            sleep(2 * SYNC_SECONDS)  # each second the service looks whether there is room again
        elif noon and number == stage.plan.killed:
            heard.add(service.ask(share, service.kill_a_worker))
        else:
            heard.add(service.ask(share))
    return heard


def _labels(stage: Stage, number: int, found: Fortnight) -> int:
    """Take the labels that arrive on this day; on one day the same table comes twice."""
    stage.clock.set(moment(number, EVENING))
    arrived = [
        each
        for day, each in ((place // DAILY + 1, each) for place, each in enumerate(found.asked))
        if each.late and day + each.late == number
    ]
    if not arrived:
        return 0
    table = stage.place / f"labels-{number}.csv"
    write_labels(table, arrived)
    found.delivered |= {each.id for each in arrived}
    found.standing = stage.checkouts.labels(table)
    new = found.standing["new"]
    if number == stage.plan.twice:
        found.again = found.standing = stage.checkouts.labels(table)
    return new


def _look(stage: Stage, number: int) -> dict[str, Any]:
    """Just after midnight, when the service has closed the files of the day."""
    stage.clock.set(moment(number + 1, MIDNIGHT))
    folder = stage.log.root / "raw" / f"date={moment(number, MIDNIGHT):%Y-%m-%d}"
    wait(lambda: settled(folder), "the service does not close the files of the day")
    return stage.checkouts.watch()


def _train(stage: Stage, found: Fortnight) -> str:
    """Train on what was known before and what is labelled now, and propose the model if it was promoted."""
    there = _logged(stage.log)
    labelled = [each for each in found.asked if each.id in found.delivered and each.id in there]
    stage.checkouts.train([*stage.learned, *labelled])
    outcome = str(stage.checkouts.trainings()[-1]["outcome"])
    stage.checkouts.propose()
    return outcome


def _logged(log: Log) -> Counter[str]:
    tables = (read_rows(log.path(ROWS, part), ["parcel"]) for part in log.parts(ROWS))
    return Counter(name for each in tables for name in each.cells.column("parcel").to_pylist())
