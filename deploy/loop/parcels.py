"""The world of the rehearsal: parcels, and how many minutes each takes. From day 8 on some go across the river."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DRIFT = 8  # the first day of the ferry
ACROSS = 0.3  # of the parcels from then on
FERRY = 20.0  # minutes
KNOWN = 0.7  # of the parcels: of the others nobody ever learns how long they took
SLOWEST = 3  # days until a label arrives, at least 1
SETTINGS = """\
name: parcels
source: data/parcels.csv
target: minutes
id: parcel
candidates: [linear, boosting]
search: {trials: 2}
log: {to: files}
"""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Parcel:
    """One parcel.

    Parameters
    ----------
    row : mapping
        What a request says of it: its id and features.
    minutes : float
        The truth, known later.
    late : int or None
        After how many days its label arrives; None if never.
    """

    row: Row
    minutes: float
    late: int | None

    @property
    def id(self) -> str:
        return str(self.row["parcel"])


def parcels(random: np.random.Generator, number: int, name: str, ferry: bool = False) -> list[Parcel]:
    """Draw parcels with the ids NAME-0, NAME-1, …; with the ferry, 30 % go 10 to 14 km, where training saw at most 10."""
    across = (random.random(number) < ACROSS) & ferry
    distance = np.where(across, random.uniform(10, 14, number), 1 + 9 * random.beta(2, 3, number)).round(1)
    weight = (0.1 + random.gamma(2, 2, number)).round(1)
    floor = random.integers(0, 6, number)
    vehicle = random.choice(3, number, p=[0.5, 0.4, 0.1])
    rain = random.random(number) < 0.25
    minutes = 8 + 3 * distance + FERRY * across + 0.4 * weight + 1.2 * floor + np.array([0, 2, 5])[vehicle] + 6 * rain
    minutes = (minutes + random.normal(0, 4, number)).round(1)
    late = np.where(random.random(number) < KNOWN, random.integers(1, SLOWEST + 1, number), 0)
    columns = {
        "parcel": [f"{name}-{place}" for place in range(number)],
        "distance": distance.tolist(),
        "weight": weight.tolist(),
        "floor": floor.tolist(),
        "vehicle": np.array(["bike", "van", "truck"])[vehicle].tolist(),
        "rain": np.where(rain, "yes", "no").tolist(),
    }
    rows = (dict(zip(columns, cells)) for cells in zip(*columns.values()))
    return [Parcel(*each) for each in zip(rows, minutes.tolist(), [days or None for days in late.tolist()])]


def write_labels(path: Path, known: Iterable[Parcel]) -> None:
    """A table of what happened, as another system would hand it over."""
    _write(path, ({"parcel": each.id, "minutes": each.minutes} for each in known))


def write_table(path: Path, known: Iterable[Parcel]) -> None:
    """A table to learn from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, ({**each.row, "minutes": each.minutes} for each in known))


def _write(path: Path, rows: Iterable[Row]) -> None:
    lines = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]) if lines else ["parcel", "minutes"])
        writer.writeheader()
        writer.writerows(lines)
