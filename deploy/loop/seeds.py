"""Many pairs of weeks from counts alone: how often the shipped rule flags a column before the ferry, and how soon after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from loop.parcels import DRIFT, Parcel, parcels
from slipway.model.bundle import Bundle
from slipway.model.predictor import Predictor
from slipway.monitoring.bins import LABEL, SCORE, Column, columns_of, count, of_answers
from slipway.monitoring.drift import Day, look
from slipway.table.cell import columns_from_rows

DAYS = 14
FOUND_BY = 10  # the day
SEEDS = 200
DRAWN = 50_000  # parcels that say how frequent each bin is
FALSE, FOUND = 0.02, 0.95  # the most of the weeks before the ferry that may be flagged; the least that are found in time
START = date(2026, 3, 2)


@dataclass(frozen=True)
class Truth:
    """How frequent each bin of each column is, before the ferry and since."""

    columns: Sequence[Column]
    before: Sequence[np.ndarray]
    since: Sequence[np.ndarray]


@dataclass(frozen=True)
class Rates:
    """Of so many seeds: how many were flagged before day 8, and how many from then to day 10."""

    seeds: int
    early: int
    found: int

    @property
    def most_early(self) -> float:
        """What 2 % exceeds in so many seeds only by two standard errors."""
        return self.seeds * (FALSE + 2 * float(np.sqrt(FALSE * (1 - FALSE) / self.seeds)))

    @property
    def hold(self) -> bool:
        return self.early <= self.most_early and self.found >= FOUND * self.seeds


def truth_of(bundle: Bundle, seed: int) -> Truth:
    """From many parcels of each kind, answered by the bundle and counted in its bins as `slipway watch` counts."""
    columns, random = columns_of(bundle), np.random.default_rng(seed)
    drawn = (parcels(random, DRAWN, "drawn", ferry) for ferry in (False, True))
    return Truth(columns, *(_shares(Predictor(bundle), columns, each) for each in drawn))


def _shares(predictor: Predictor, columns: Sequence[Column], drawn: Sequence[Parcel]) -> list[np.ndarray]:
    cells = columns_from_rows(predictor.schema, [each.row for each in drawn])
    scores, codes = of_answers(predictor.scores(cells), predictor.threshold)
    answers = {SCORE: scores, LABEL: codes}
    values = (answers[each.key] if each.key in answers else cells[each.name] for each in columns)
    return [count(*each) / len(drawn) for each in zip(columns, values)]


def flagged_days(truth: Truth, rows: int, seed: int) -> list[int]:
    """The days, from 1, at whose end a look flags any column."""
    random, days, before, flagged = np.random.default_rng(seed), [], [], []
    for day in range(1, DAYS + 1):
        shares = truth.since if day >= DRIFT else truth.before
        days.append(Day(START + timedelta(day - 1), rows, [random.multinomial(rows, each) for each in shares]))
        found = look(truth.columns, days, before)
        before += [found.suspects] if found.suspects else []
        flagged += [day] if found.flagged else []
    return flagged


def rates(truth: Truth, rows: int, seeds: int = SEEDS) -> Rates:
    """How often it is flagged too early and in time, with so many rows a day."""
    found = [flagged_days(truth, rows, seed) for seed in range(seeds)]
    early = sum(any(day < DRIFT for day in days) for days in found)
    return Rates(seeds, early, sum(any(DRIFT <= day <= FOUND_BY for day in days) for days in found))
