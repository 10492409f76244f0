"""How the cells of a column are written, found from all of them; what they do not tell is asked, not guessed."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite, isnan
from typing import Literal

from slipway.table.dates import ISO
from slipway.table.formats import ALIKE, DATES, format_of, number, without_unit

MOSTLY = 0.95
MANY = 20
FEW = 5
SHOWN = 30
EXPONENT = r"(?:[eE][+-]?[0-9]++)?"
NUMBER = re.compile(  # without its unit
    r"[+-]?(?:(?P<bare>[0-9]++)"
    + EXPONENT
    + r"|[1-9][0-9]{0,2}(?P<group>[.,' ])[0-9]{3}(?P<more>(?:(?P=group)[0-9]{3})*+)"
    + r"(?:(?!(?P=group))(?P<fraction>[.,])[0-9]*+"
    + EXPONENT
    + ")?"
    + r"|(?=.?[0-9])[0-9]*+(?P<mark>[.,])[0-9]*+"
    + EXPONENT
    + ")"
)
USUAL_MARK = {"": ".", "'": ".", " ": ","}  # where no cell has a fraction and no other column tells


@dataclass(frozen=True)
class Found:
    """How the cells of one column are written.

    Parameters
    ----------
    format : str
        The example for ``formats``; empty where there is nothing to say: plain numbers, ISO dates, plain texts.
    choices : tuple of str
        Two examples when the cells do not tell which of them it is.
    evidence : str
        In a few words, what shows it, or what hangs on the choice, or how the cells contradict one another.
    odd : tuple of str
        A few texts that are no number, or no date, in any format: they may mean a missing cell.
    kind : str
        ``number``, ``date``, or ``category`` for all else and for codes such as 01023.
    """

    format: str = ""
    choices: tuple[str, ...] = ()
    evidence: str = ""
    odd: tuple[str, ...] = ()
    kind: Literal["number", "date", "category"] = "category"

    @property
    def is_mixed(self) -> bool:
        """Whether they are numbers or dates that no single format reads."""
        return self.kind != "category" and bool(self.evidence) and not self.format and not self.choices

    @property
    def are_codes(self) -> bool:
        """Whether they are digits whose leading zeros a number would lose."""
        return self.kind == "category" and bool(self.evidence)


def find(texts: Collection[str], decimal: str = "") -> Found:
    """How the distinct, stripped texts of a column are written; `decimal` is the mark that other columns prove."""
    marks = _marks(texts)
    return marks.found(decimal) if marks else _dates(texts) or Found()


def find_all(columns: Mapping[str, Collection[str]]) -> dict[str, Found]:
    """The same for the columns of one table: the decimal mark on which some agree settles what others leave open."""
    looks = {name: _marks(texts) for name, texts in columns.items()}
    proven = {mark for marks in looks.values() if marks for mark in marks.proven}
    decimal = proven.pop() if len(proven) == 1 else ""
    return {name: marks.found(decimal) if marks else _dates(columns[name]) or Found() for name, marks in looks.items()}


def is_value(text: str) -> bool:
    """Whether a text is a number or a date in some format: then it is no marker of missing cells."""
    return _is_date(text) or NUMBER.fullmatch(without_unit(text)[0]) is not None


def undeclared(texts: Collection[str], others: bool) -> str | None:
    """The cure when a column needs an entry in ``formats``, None when it needs none; `others` says that columns have one."""
    found = find(texts)
    if found.format:
        return f'Add the column to formats in slipway.yaml, with the example "{found.format}" ({found.evidence})'
    if found.choices and (others or "1234.56" not in found.choices):  # which is read without an entry
        either = " or ".join(f'"{each}"' for each in found.choices)
        return f"Add the column to formats in slipway.yaml, with the example {either} ({found.evidence})"
    return f"Write the cells in one way, or add the column to drop ({found.evidence})" if found.is_mixed else None


def is_code(text: str) -> bool:
    """Whether a text is digits with a zero in front, as codes and phone numbers are."""
    return text[:1] == "0" and len(text) > 1 and text.isdigit()


def are_exceptions(odd: int, size: int) -> bool:
    """Whether so many of `size` texts are exceptions: 5 % of them, or a handful beside many others."""
    return odd <= (1 - MOSTLY) * size or odd <= FEW and size - odd >= MANY


@dataclass
class _Marks:
    """What the separators in a column of numbers prove; each text is the first that shows it."""

    size: int
    thousands: dict[str, str] = field(default_factory=dict)
    decimal: dict[str, str] = field(default_factory=dict)
    either: dict[str, str] = field(default_factory=dict)  # one group of three: 1.234
    units: dict[str, str] = field(default_factory=dict)
    bare: str = ""
    zeros: str = ""
    enclosed: bool = False
    odd: list[str] = field(default_factory=list)

    def see(self, text: str) -> None:
        """Take in one text of the column."""
        plain, unit = without_unit(text)
        found = NUMBER.fullmatch(plain)
        if not found:
            if isnan(number(text)):
                self.odd.append(text)
            else:  # with digits of another script
                self.bare = self.bare or text
            return
        self.enclosed = self.enclosed or text.startswith("(")
        if unit:
            self.units.setdefault(unit, text)
        if found["bare"]:
            self.bare = self.bare or text
            if text.startswith("0") and len(found["bare"]) > 1:
                self.zeros = self.zeros or text
        elif found["mark"]:
            self.decimal.setdefault(found["mark"], text)
        elif found["more"] or found["fraction"] or found["group"] in " '":
            self.thousands.setdefault(found["group"], text)
            if found["fraction"]:
                self.decimal.setdefault(found["fraction"], text)
        else:
            self.either.setdefault(found["group"], text)

    @property
    def proven(self) -> set[str]:
        """The decimal mark, where the cells by themselves leave no other."""
        ways = self._ways()
        return {mark for _, mark in ways} if len(ways) == 1 else set()

    def _ways(self) -> list[tuple[str, str]]:
        """Thousands separators and decimal marks that read every number."""
        return [
            (group, mark)
            for mark in ",."
            for group in ("", *(self.thousands | self.either))
            if group != mark
            and self.thousands.keys() <= {group}
            and self.decimal.keys() <= {mark}
            and self.either.keys() <= {group, mark}
        ]

    def found(self, decimal: str) -> Found:
        """How the numbers are written."""
        if len(self.units) > 1:
            return Found(evidence=f"different units: {_listed(self.units.values())}", kind="number")
        if self.zeros and not (self.thousands or self.decimal or self.either or self.units):
            return Found(evidence=f"leading zeros, e.g. {_shown(self.zeros)}")
        ways = self._ways()
        texts = [*self.thousands.values(), *self.decimal.values(), *self.either.values(), *self.units.values()]
        dates = list(filter(_is_date, self.odd))
        if dates or not ways:
            says = f"written in different ways: {_listed([*(texts or [self.bare]), *dates])}"
            return Found(evidence=says, kind="number")
        settled = ""
        if len({group for group, _ in ways}) > 1:
            ways = self._settled(ways, decimal)
            settled = f"; other columns have the decimal mark {decimal}" if decimal and len(ways) == 1 else ""
        else:  # no cell has a decimal mark
            usual = decimal or USUAL_MARK.get(ways[0][0], "")
            ways = [way for way in ways if way[1] == usual] or ways
        examples = tuple(self._example(*way) for way in sorted(ways, reverse=True))
        odd = tuple(self.odd)
        if len(examples) > 1:
            text = next(iter(self.either.values()))
            says = " or ".join(format_of(each).plain(text) or "" for each in examples)
            return Found("", examples, f"{_shown(text)} is {says}", odd, "number")
        if not self.enclosed and (not texts or examples == ("1234.56",) and not settled):
            return Found(odd=odd, kind="number")
        group, mark = ways[0]
        if not group and (mark == "," or self.units):  # then a later 1.200,00 € is plain, too
            group = "." if mark == "," else ","
        return Found(
            self._example(group, mark), (), _evidence((texts or [self.bare])[0], self.size, len(odd)) + settled, odd, "number"
        )

    def _settled(self, ways: list[tuple[str, str]], decimal: str) -> list[tuple[str, str]]:
        """Of the ways that read 1.234 or 1,234 differently, the one that other columns or cells without it show."""
        if self.bare and "," in self.either and decimal != ",":
            return [way for way in ways if way[0] == ","]
        if self.bare and "," in self.either or not decimal:
            return ways
        return [way for way in ways if way[1] == decimal]

    def _example(self, group: str, mark: str) -> str:
        plain = f"1{group}234{mark}56"
        for unit, text in self.units.items():
            text = text.translate(ALIKE).lstrip("+-")
            if text.startswith(unit):
                return unit + " " * text[len(unit) :].startswith(" ") + plain
            return plain + " " * text[: -len(unit)].endswith(" ") + unit
        return plain


def _marks(texts: Collection[str]) -> _Marks | None:
    """What the numbers of a column prove; None when it is none of numbers."""
    marks = _Marks(len(texts))
    for text in _telling(texts):
        marks.see(text)
        if not are_exceptions(len(marks.odd), marks.size):
            return None
    return marks if marks.size > len(marks.odd) else None


def _telling(texts: Collection[str]) -> Iterable[str]:
    """All texts; of plain numbers, which may be a million, one that tells as much as all."""
    try:
        plain = all(map(isfinite, map(float, texts)))
    except ValueError:
        return texts
    if not plain or not texts or "_" in "".join(texts):
        return texts
    points = [text for text in texts if "." in text]
    decisive = (text for text in points if (found := NUMBER.fullmatch(text)) and found["mark"])
    codes = (text for text in texts if is_code(text))
    return [next(decisive, None) or next(iter(points), None) or next(codes, None) or next(iter(texts))]


def _dates(texts: Collection[str]) -> Found | None:
    """How the dates of a column are written; None when it is none of dates."""
    if texts and all(map(ISO.fullmatch, texts)):
        return Found(kind="date")
    alive, first, odd = list(DATES), "", []
    for text in texts:
        read = [example for example in alive if DATES[example].plain(text)]
        if read:
            alive, first = read, first or text
            continue
        odd.append(text)
        if not are_exceptions(len(odd), len(texts)):
            break
    few = are_exceptions(len(odd), len(texts))
    others = list(filter(is_value, odd))
    if first and others and (few or len(others) == len(odd)):
        return Found(evidence=f"written in different ways: {_listed([first, others[0]])}", kind="date")
    if not first or not few:
        return None
    if len(alive) == len(DATES):
        return Found(odd=tuple(odd), kind="date")
    if len(alive) == 1:
        first = next((text for text in texts if not ISO.fullmatch(text) and _is_date(text)), first)
        return Found(alive[0], (), _evidence(first, len(texts), len(odd)), tuple(odd), "date")
    told = next((text for text in texts if len({DATES[each].plain(text) for each in alive}) > 1), first)
    day, month = (datetime.fromisoformat(DATES[each].plain(told) or "") for each in alive)
    says = f"{_shown(told)} is {day.day} {day:%B} or {month:%B} {month.day}"
    return Found("", tuple(alive), says, tuple(odd), "date")


def _is_date(text: str) -> bool:
    return any(each.plain(text) for each in DATES.values())


def _evidence(text: str, size: int, odd: int) -> str:
    cells = f"all but {odd} of {size:,}" if odd else f"all {size:,}"
    return f"{cells} different cells, e.g. {_shown(text)}" if size > 1 else f"the only cell is {_shown(text)}"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(_shown(text) for text in list(dict.fromkeys(filter(None, texts)))[:3])


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
