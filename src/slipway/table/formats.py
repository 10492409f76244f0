"""How numbers and dates are written in a column, given by an example, and what a cell written so says.

The example writes 1234.56, or 31 December 2024, as the column does: ``1.234,56 €`` or ``12/31/2024``. It needs the
standard library and the schema only, because the service imports it.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from math import isfinite, nan
from typing import Literal, Protocol

from slipway.errors import ProblemError
from slipway.table.dates import ISO, parse_date

ASK = "?"  # in the place of an example: a person has to say
CURRENCIES = {"AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "INR", "JPY", "NOK", "PLN", "SEK", "USD"}
ALIKE = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "\u2019": "'", "\u2212": "-"})
NUMBER = re.compile(r"1([.,' ]?)234([.,])56")
TIME = r"(?:[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?(?: ?([AP]M))?)?"


class Format(ABC):
    """How a column writes its numbers or dates.

    Attributes
    ----------
    kind : str
        ``number`` or ``date``.
    example : str
        How it writes 1234.56, or 31 December 2024.
    """

    kind: Literal["number", "date"]
    example: str

    @abstractmethod
    def plain(self, text: str) -> str | None:
        """The canonical text of a stripped cell, ``8123.45`` or ``2024-12-31``; None where it is not written so."""

    @abstractmethod
    def written(self, plain: str) -> str:
        """A canonical text as the column writes it."""


@dataclass(frozen=True)
class NumberFormat(Format):
    """Numbers, with or without their unit; thousands are grouped by three or not at all."""

    example: str
    thousands: str
    decimal: str
    unit: str
    kind = "number"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        groups = f"[1-9][0-9]{{0,2}}(?:{re.escape(self.thousands)}[0-9]{{3}})++|" if self.thousands else ""
        mark = re.escape(self.decimal)
        return re.compile(f"[+-]?(?:(?:{groups}[0-9]++)(?:{mark}[0-9]*+)?|{mark}[0-9]++)(?:[eE][+-]?[0-9]++)?")

    def plain(self, text: str) -> str | None:
        number, unit = without_unit(text)
        if unit not in ("", self.unit) or not self._pattern.fullmatch(number):
            return None
        return number.replace(self.thousands, "").replace(self.decimal, ".").removeprefix("+")

    def written(self, plain: str) -> str:
        return plain.replace(".", self.decimal)


@dataclass(frozen=True)
class DateFormat(Format):
    """Dates, each with or without a time; `first` is ``day``, ``month`` or ``year``. ISO 8601 is always read, too."""

    example: str
    first: Literal["day", "month", "year"]
    separator: str
    kind = "date"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        sizes = ("{4}", "{1,2}", "{1,2}") if self.first == "year" else ("{1,2}", "{1,2}", "{4}")
        return re.compile(re.escape(self.separator).join(f"([0-9]{size})" for size in sizes) + TIME, re.IGNORECASE)

    def plain(self, text: str) -> str | None:
        text = text.translate(ALIKE)
        try:
            if ISO.fullmatch(text):
                parse_date(text)
                moment = datetime.fromisoformat(text)
                return text if len(text) == len("2024-12-31") or moment.tzinfo else moment.isoformat()
            found = self._pattern.fullmatch(text)
            return self._moment(*found.groups()).isoformat() if found else None
        except ValueError:  # the 31st of February, or half past 25
            return None

    def written(self, plain: str) -> str:
        year, month, day = plain[:10].split("-")
        order = {"day": (day, month, year), "month": (month, day, year), "year": (year, month, day)}[self.first]
        return self.separator.join(order) + plain[10:]

    def _moment(self, *parts: str) -> date:
        one, two, three, hour, minute, second, fraction, half = parts
        order = {"day": (three, two, one), "month": (three, one, two), "year": (one, two, three)}[self.first]
        year, month, day = map(int, order)
        if not hour:
            return date(year, month, day)
        hours = int(hour)
        if half:
            if not 1 <= hours <= 12:
                raise ValueError(hour)
            hours = hours % 12 + (12 if half.upper() == "PM" else 0)
        return datetime(year, month, day, hours, int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))


DATES = {
    each.example: each
    for each in (
        DateFormat("31.12.2024", "day", "."),
        DateFormat("31/12/2024", "day", "/"),
        DateFormat("31-12-2024", "day", "-"),
        DateFormat("12/31/2024", "month", "/"),
        DateFormat("12-31-2024", "month", "-"),
        DateFormat("2024-12-31", "year", "-"),
        DateFormat("2024/12/31", "year", "/"),
        DateFormat("2024.12.31", "year", "."),
    )
}
EXPECTED = (
    'Write 1234.56 as the column does, such as "1,234.56", "1.234,56 €", "1234,56", "1 234,56" or "1234.56%", or '
    "31 December 2024, as one of " + ", ".join(f'"{each}"' for each in DATES)
)


def without_unit(text: str) -> tuple[str, str]:
    """A number without its unit, and the unit, if it has one: ``-5`` and ``€`` of ``-5 €``, ``-€5`` and ``€ -5``."""
    text = text.translate(ALIKE)
    inside = text[1:-1].strip() if text.startswith("(") and text.endswith(")") else ""
    if inside and inside[0] not in "(+-":  # accountants' minus
        number, unit = without_unit(inside)
        return f"-{number}", unit
    sign = text[:1] if text.startswith(("-", "+")) else ""
    bare = text[len(sign) :]
    for unit in (bare[:1], bare[:3]):
        if is_unit(unit):
            return sign + bare[len(unit) :].lstrip(), unit
    for unit in (bare[-1:], bare[-3:]):
        if is_unit(unit):
            return sign + bare[: -len(unit)].rstrip(), unit
    return sign + bare, ""


def is_unit(text: str) -> bool:
    """Whether this is a currency symbol, the code of a currency, or %."""
    return text in CURRENCIES or text == "%" or len(text) == 1 and unicodedata.category(text) == "Sc"


@cache
def format_of(example: str) -> Format:
    """The format that an example shows; ValueError when it is not a valid one."""
    if example in DATES:
        return DATES[example]
    number, unit = without_unit(example.strip())
    found = NUMBER.fullmatch(number)
    if not found or found[1] == found[2]:
        raise ValueError(f"{example[:40]!r} is not a valid example of a format. {EXPECTED}")
    return NumberFormat(example, found[1], found[2], unit)


def number(text: str) -> float:
    """What a plain text says as a number; NaN where it says none."""
    try:
        value = float(text.replace("\u2212", "-"))
    except ValueError:
        return nan
    # Python reads 1_000 and inf as numbers; a table means neither
    return value if isfinite(value) and "_" not in text else nan


class Described(Protocol):
    """What says how columns are written, as a problem does."""

    @property
    def formats(self) -> Mapping[str, str]: ...

    def markers(self, column: str) -> tuple[str, ...]: ...


def problem_format(problem: Described, name: str) -> Format | None:
    """How slipway.yaml says that a column is written, None when it does not; ProblemError on an example that is not valid."""
    example = problem.formats.get(name)
    if example is None:
        return None
    if example == ASK:
        raise ProblemError(
            f'formats.{name}: "?" stands where an example is needed',
            'Replace it with one of the two examples in the comment beside it: such as "1.234,56" or "1234.56" for '
            'numbers, "31/12/2024" or "12/31/2024" for dates',
        )
    try:
        return format_of(example)
    except ValueError:
        raise ProblemError(f"formats.{name}: {example[:40]!r} is not a valid example of a format", EXPECTED) from None
