"""How sure this training must be, so that a year of trainings seldom promotes a model that is not better.

Every meeting of a challenger with a champion (or the baseline) on held-out rows is a look, and each look can err. A year
has a budget of 1 - ``gate.confidence`` for the chance of any error. Each look is allowed a part of it, the first ones
the most (alpha spending; Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983). The
sum of the parts bounds the chance of an error whatever the looks have in common. A look that promotes gives its part back:
if it was an error the year has erred already, if not it could not err (fallback procedure; Wiens, Pharmaceutical Statistics
2, 2003; for tests that come one by one: Tian and Ramdas, Statistical Methods in Medical Research 30, 2021).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from heapq import nsmallest
from typing import Annotated, Any

import msgspec
import pandas as pd
from msgspec import Meta, Struct

from slipway.errors import SlipwayError
from slipway.problem import Problem
from slipway.store.local import LocalStore
from slipway.table.cell import reader_of
from slipway.table.identity import row_keys
from slipway.table.schema import Schema

YEAR = timedelta(days=365)
RENEWED = 0.3
HASHES = 64  # whose share of unseen rows is right within 6 percentage points (standard error)
DIGITS = 10  # hexadecimal, of a hash


class Held(Struct, frozen=True):
    """Held-out rows, as the journal keeps them: their number, and the smallest hashes of their keys (bottom-k sketch)."""

    rows: int
    hashes: str

    def unseen_by(self, other: "Held") -> float:
        """About what share of these rows is not among `other` (Cohen and Kaplan, "Summarizing data using bottom-k sketches",
        PODC 2007)."""
        mine, others = self._split(), other._split()
        whole = max([*mine, *others], default="")
        end = min(each[-1] if len(each) == HASHES else whole for each in (mine, others))
        known = [each for each in mine if each <= end]
        return 1 - len(set(known) & set(others)) / len(known) if known else 1.0

    def _split(self) -> list[str]:
        return [self.hashes[start : start + DIGITS] for start in range(0, len(self.hashes), DIGITS)]


def held_rows(frame: pd.DataFrame, schema: Schema, named_by: Sequence[str]) -> Held:
    """What identifies these held-out rows: by `named_by`, else by their features."""
    columns = named_by or [name for name in schema.names if name in frame.columns]
    readers = {field.name: reader_of(replace(field, markers=())) for field in schema if field.format}
    hashes = {blake2b(key, digest_size=DIGITS // 2).hexdigest() for key in row_keys(frame, columns, readers)}
    return Held(len(frame), "".join(nsmallest(HASHES, hashes)))


class Noted(Struct, frozen=True):
    """A look in the journal."""

    allowed: float
    held: Held


class Past(Struct, frozen=True):
    """An entry of the journal that has a look."""

    at: Annotated[datetime, Meta(tz=True)]
    problem: str
    digest: str
    champion: str | None
    outcome: str
    look: Noted

    def same(self, other: "Past") -> bool:
        """Whether the same models met on the same rows."""
        return (self.digest, self.champion, self.look.held) == (other.digest, other.champion, other.look.held)


@dataclass(frozen=True)
class Look:
    """What this training is allowed.

    Parameters
    ----------
    allowed : float
        The largest chance at which it promotes.
    number : int
        Of the looks of this year.
    held : Held
    yearly : float or None
        The budget of the year; None when the looks of other machines are unknown.
    unknown : str
        Why they are.
    kept : int
        Of the earlier looks of this year, those that ended with *kept*: they cost, promotions do not.
    """

    allowed: float
    number: int
    held: Held
    yearly: float | None = None
    unknown: str = ""
    kept: int = 0

    def to_json(self) -> dict[str, Any]:
        noted: dict[str, Any] = msgspec.to_builtins(Noted(self.allowed, self.held))
        return noted


@dataclass(frozen=True)
class Looks:
    """The looks of a problem so far.

    Parameters
    ----------
    past : tuple of Past
        The oldest first.
    budget : float
        The chance of an error that a year may have.
    unknown : str
        Empty, or why looks of other machines are unknown.
    """

    past: tuple[Past, ...]
    budget: float
    unknown: str = ""

    def next(self, digest: str, champion: str | None, held: Held, now: datetime) -> Look:
        """What is allowed to a training whose challenger meets this champion (None: the baseline) on these rows.

        The same models on the same rows are the same look, and are allowed the same again.
        """
        yearly = None if self.unknown else self.budget
        this = Past(now, "", digest, champion, "", Noted(0.0, held))
        years = _divided([*self.past, this], lambda first, each: each.at - first.at >= YEAR)
        year = years[-1][:-1]
        kept = 0
        for number, each in enumerate(year, start=1):
            if each.same(this):
                return Look(each.look.allowed, number, held, yearly, self.unknown, kept)
            kept += each.outcome != "promoted"
        return Look(self._allowed(years[-1]), len(year) + 1, held, yearly, self.unknown, kept)

    def _allowed(self, year: Sequence[Past]) -> float:
        """The part of the last look: of what the year had left when its rows were first looked at, 4 / (k (k + 1) (k + 2))
        for the k-th look that they may keep a champion by. These parts add up to 1, and the first three have 90 % of it."""
        *before, (*looks, _) = _divided(year, lambda first, each: each.look.held.unseen_by(first.look.held) >= RENEWED)
        left = self.budget - sum(_spent(rows) for rows in before)
        k = 1 + sum(each.outcome != "promoted" for each in looks)
        return max(0.0, min(left * 4 / (k * (k + 1) * (k + 2)), left - _spent(looks)))


def _spent(looks: Iterable[Past]) -> float:
    return sum(each.look.allowed for each in looks if each.outcome != "promoted")


def _divided(looks: Iterable[Past], begins: Callable[[Past, Past], bool]) -> list[list[Past]]:
    """In order; a part ends where a look `begins` another, asked with the first look of the part."""
    parts: list[list[Past]] = []
    for each in looks:
        if not parts or begins(parts[-1][0], each):
            parts.append([])
        parts[-1].append(each)
    return parts


def looks_of(problem: Problem, store: LocalStore) -> Looks:
    """The looks that the journals tell of: that of this machine, and of the remote store if it is set and answers."""
    entries, unknown = store.journal.entries(), ""
    if problem.remote is None:
        unknown = "remote is not set"
    else:
        try:
            from slipway.store.remote import open_remote  # it needs boto3
            from slipway.store.transfer import remote_entries

            entries += remote_entries(open_remote(problem, tries=1))
        except SlipwayError as error:
            unknown = f"the remote journal cannot be read ({error.cause})"
    return Looks(past_looks(entries, problem.name), 1 - problem.gate.confidence, unknown)


def past_looks(entries: Iterable[Mapping[str, Any]], problem: str) -> tuple[Past, ...]:
    """The looks among entries of journals, the oldest first, each once."""
    found: list[Past] = []
    for entry in entries:
        with suppress(msgspec.ValidationError):  # an entry of another kind
            found.append(msgspec.convert(entry, Past))
    past: list[Past] = []
    for each in sorted(found, key=lambda each: each.at):
        if each.problem == problem and not any(each.same(other) for other in past):
            past.append(each)
    return tuple(past)
