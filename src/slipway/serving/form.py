"""The web form of a schema: how each field looks, and how a filled-in form becomes a row.

Reading only turns text into the JSON value that the same person would have sent to the API. Whether that
value is allowed is the decoder's decision, so the form and the API cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from slipway.serving.trace import Trace
from slipway.table.cell import typed_text
from slipway.table.dates import show_date
from slipway.table.rules import Rules
from slipway.table.schema import Field, Schema

FEW_LEVELS = 4
FEW_LETTERS = 40
FEW_FIELDS = 24
GROUP = 20
FIRST = 12


@dataclass(frozen=True)
class Control:
    """One field of the form.

    Parameters
    ----------
    field : Field
    id : str
        For ``id`` and ``for`` attributes; a name may hold any character, an id may not.
    kind : str
        ``number``, ``radio``, ``select``, ``date`` or ``datetime-local``.
    low, high : str
        The range seen in training, as the browser wants it; empty where there is none.
    least, most : str
        The bounds of what is answered; empty where there is none.
    value : str
        What was typed, or a typical value.
    error : str
        What is wrong with it, or empty.
    trace : Trace or None
        How the answer moves with it.
    """

    field: Field
    id: str
    kind: str
    low: str
    high: str
    least: str
    most: str
    value: str
    error: str
    trace: Trace | None

    @property
    def choices(self) -> tuple[str, ...]:
        """The levels, and what was sent if it is none of them."""
        levels = self.field.levels
        return levels if not self.value or self.value in levels else (*levels, self.value)

    @property
    def wide(self) -> bool:
        """Whether it wants a line of its own."""
        return self.kind == "radio" and sum(map(len, self.field.levels)) > FEW_LETTERS // 2

    @property
    def target(self) -> str:
        """The id of the element that a link to this field should focus."""
        return f"{self.id}-0" if self.kind == "radio" else self.id

    @property
    def hint(self) -> str:
        """The range in words; that it is training's, where more is answered."""
        field = self.field
        flag = field.type == "integer" and (field.minimum, field.maximum) == (0, 1)
        seen = "0 or 1" if flag else " to ".join(_readable(field, end) for end in (field.minimum, field.maximum))
        return seen if (self.least, self.most) == (self.low, self.high) else f"training saw {seen}"

    @property
    def described_by(self) -> str:
        """The ids of the hint and the error, as far as they are there."""
        hint = [f"{self.id}-hint"] if self.low or self.high else []
        return " ".join(hint + ([f"{self.id}-error"] if self.error else []))


@dataclass(frozen=True)
class Group:
    """Fields shown together; a closed group opens by a click, or because a field in it is wrong."""

    title: str
    controls: tuple[Control, ...]
    open: bool


def controls(rules: Rules, typed: Mapping[str, str], errors: Mapping[str, str], traces: Mapping[str, Trace]) -> list[Control]:
    """The fields in the order of the schema, holding what was typed."""
    found = []
    for number, rule in enumerate(rules):
        field = rule.field
        value = typed.get(field.name, "")
        low, high = (_bound(field, bound) for bound in (field.minimum, field.maximum))
        least, most = (_exact(bound) if rule.is_number and isfinite(bound) else "" for bound in (rule.low, rule.high))
        kind = _kind(field, crowded=len(rules) > FEW_FIELDS)
        error = errors.get(field.name, "")
        found.append(Control(field, f"field-{number}", kind, low, high, least, most, value, error, traces.get(field.name)))
    return found


def groups(controls: Sequence[Control], important: Sequence[str]) -> list[Group]:
    """One group for a few fields; for many the important ones, then closed groups of twenty."""
    if len(controls) <= FEW_FIELDS:
        return [Group("", tuple(controls), True)]
    ranks = {name: rank for rank, name in enumerate(important[:FIRST])}
    chosen = [one for one in controls if one.field.name in ranks]
    first = sorted(chosen, key=lambda one: ranks[one.field.name])
    others = [one for one in controls if one.field.name not in ranks]
    found = [Group("What matters most", tuple(first), True)] if first else []
    for start in range(0, len(others), GROUP):
        part = tuple(others[start : start + GROUP])
        title = part[0].field.name if len(part) == 1 else f"{part[0].field.name} to {part[-1].field.name}"
        found.append(Group(title, part, not found or any(one.error for one in part)))
    return found


def typical(field: Field) -> str:
    """A typical value as one would type it; empty when the schema has none."""
    return plain(field.example) if isinstance(field.example, (int, float)) else field.example or ""


def plain(number: float) -> str:
    """A number as one would type it."""
    whole = float(number).is_integer() and abs(number) < 1e15
    return str(int(number)) if whole else repr(float(f"{number:.12g}"))


def as_typed(schema: Schema, row: Mapping[str, float | int | str | None]) -> dict[str, str]:
    """A row as requests carry it, as one would type it, with all its digits."""
    values = ((field.name, row.get(field.name)) for field in schema)
    return {name: "" if value is None else value if isinstance(value, str) else typed_text(value) for name, value in values}


def read_row(schema: Schema, typed: Mapping[str, str]) -> dict[str, str | int | float]:
    """The row that a filled-in form stands for, without the fields that were left empty.

    Unknown names stay in it, so that the decoder reports them.
    """
    fields = {field.name: field for field in schema}
    row = {name: _value(field, typed.get(name, "")) for name, field in fields.items()}
    row |= {name: text for name, text in typed.items() if name not in fields}
    return {name: value for name, value in row.items() if value is not None}


def _value(field: Field, text: str) -> str | int | float | None:
    if field.type == "category":
        # A browser sends every line break as CRLF.
        levels = {level.replace("\r\n", "\n"): level for level in field.levels}
        return levels.get(text.replace("\r\n", "\n"), text) if text else None
    text = text.strip()
    if not text:
        return None
    return text if field.type == "date" else _number(text)


def _number(text: str) -> str | int | float:
    """The JSON number for a text, or the text itself: the decoder then reports what it expects."""
    if "_" in text:
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text


def _kind(field: Field, crowded: bool) -> str:
    if field.type == "category":
        letters = sum(map(len, field.levels))
        few = len(field.levels) <= FEW_LEVELS and letters <= FEW_LETTERS and not crowded
        return "radio" if few else "select"
    if field.type == "date":
        whole = all(float(day).is_integer() for day in (field.minimum or 0, field.maximum or 0))
        return "date" if whole else "datetime-local"
    return "number"


def _bound(field: Field, bound: float | None) -> str:
    if bound is None:
        return ""
    return show_date(bound) if field.type == "date" else _exact(bound)


def _readable(field: Field, bound: float | None) -> str:
    """With commas from five digits on, so that a year has none."""
    whole = bound is not None and field.is_number and float(bound).is_integer() and abs(bound) >= 10_000
    return f"{bound:,.0f}" if whole else _bound(field, bound)


def _exact(number: float) -> str:
    """Every digit: a rounded limit would refuse the limit itself."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))
