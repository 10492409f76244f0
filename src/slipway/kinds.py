"""What the value of a setting may be: in words, and how it is read."""

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta

Task = Literal["regression", "binary", "multiclass"]
Candidate = Literal["linear", "forest", "boosting"]
ColumnType = Literal["number", "integer", "category", "date"]
TASKS: tuple[Task, ...] = get_args(Task)
CANDIDATES: tuple[Candidate, ...] = get_args(Candidate)
PROTOCOLS = ("mlflow", "open-inference")
OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # a function that returns a pipeline
EVERY_COLUMN = "*"
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?")
COMPARISON = re.compile(
    r"\s*(?P<metric>[a-z]\w*)\s*(?P<sign>[<>])\s*(?P<number>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)\s*", re.ASCII
)
SHELL = {"|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"}
SECRET = "The value itself may be a secret, such as a URL with a password, and secrets do not belong in git"
GREATEST = sys.float_info.max  # as a limit it refuses infinity and NaN

Number = Annotated[float, Meta(ge=-GREATEST, le=GREATEST)]
NotNegative = Annotated[float, Meta(ge=0, le=GREATEST)]


@dataclass(frozen=True)
class Kind:
    """What a value may be.

    Parameters
    ----------
    expected : str
        In words, for messages and the docs.
    read : callable
        The value as the program wants it; one of `REFUSED` when it is not of the kind.
    parse : callable
        The text of an environment variable → what the file would hold; YAML unless the kind is text.
    choices : tuple
        The words that it consists of, where there are only these.
    secret : str
        Why a refused value is not repeated in the message; empty when it is.
    """

    expected: str
    read: Callable[[Any], Any]
    parse: Callable[[str], Any] = yaml.safe_load
    choices: tuple[str, ...] = ()
    secret: str = ""


REFUSED = (ValueError, TypeError, OverflowError, msgspec.ValidationError)


def kind_of(hint: Any) -> Kind:
    """The kind of a setting by the type of its field: the one it is annotated with, or what msgspec reads."""
    inner, *marks = get_args(hint) if get_origin(hint) is Annotated else [hint]
    for mark in marks:
        if isinstance(mark, Kind):
            return mark
    choices = get_args(inner)
    limits = next((mark for mark in marks if isinstance(mark, Meta)), Meta())
    expected = "one of " + ", ".join(choices) if choices else _between(inner, limits)
    return Kind(expected, lambda value: msgspec.convert(value, hint), choices=choices)


def _between(number: type, limits: Meta) -> str:
    name, low, high = {int: "an integer", float: "a number"}[number], limits.ge, limits.le
    if limits.gt is not None:
        return f"{name} above {limits.gt}" + (f", at most {high}" if high is not None else "")
    if low == -GREATEST:
        return name
    return f"{name} of {low} or more" if high in (None, GREATEST) else f"{name} from {low} to {high}"


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or str(value).strip() == "":
        raise ValueError
    str(value).encode()  # half of a surrogate pair is not text: a ValueError too
    return str(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value if isinstance(value, list) else [value]))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _by_column(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError
    return {_text(name): each for name, each in value.items()}


def _text_by_column(value: object) -> dict[str, str]:
    return {name: _text(each) for name, each in _by_column(value).items()}


def _markers(value: object) -> dict[str, tuple[str, ...]]:
    """Column → its markers; those of a list are for every column."""
    columns = _by_column(value) if isinstance(value, Mapping) else {EVERY_COLUMN: value}
    return {name: _with_other_forms(markers) for name, markers in columns.items()}


def _with_other_forms(value: object) -> tuple[str, ...]:
    """Texts, and of a number its other form too: what a file has as -999 is -999.0 in a column of doubles."""
    found = dict.fromkeys(_texts(value))
    for each in list(found):
        try:
            number = float(each)
        except ValueError:
            continue
        if number.is_integer():
            found |= dict.fromkeys((str(int(number)), repr(number)))
    return tuple(found)


def _candidates(value: object) -> tuple[str, ...]:
    values = _texts(value)
    own = {name for name in values if OWN.fullmatch(name)}
    if not values or not set(values) - own <= set(CANDIDATES) or len(set(values)) < len(values):
        raise ValueError
    return values


def _protocols(value: object) -> tuple[str, ...]:
    values = _texts(value)
    if not set(values) <= set(PROTOCOLS) or len(set(values)) < len(values):
        raise ValueError
    return values


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _command(value: object) -> tuple[str, ...]:
    words = shlex.split(value) if isinstance(value, str) else []
    if not words or "\n" in str(value).strip() or SHELL & set(words):
        raise ValueError
    return tuple(words)


def _remote(value: object) -> str:
    if not BUCKET.fullmatch(_text(value)):
        raise ValueError
    return _text(value).rstrip("/")


def _variable(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError
    return value


def _filter(value: object) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError
    return _encodable(value)


def _encodable(value: object) -> object:
    """The same with YAML's dates as datetimes, because BSON has no dates."""
    if isinstance(value, Mapping):
        return {str(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value


def _paths(value: object) -> dict[str, str]:
    paths = _text_by_column(value)
    if any("" in path.split(".") or "$" in path for path in paths.values()):
        raise ValueError
    return paths


@dataclass(frozen=True)
class Comparison:
    """A metric that is below, or above, a number."""

    metric: str
    sign: Literal["<", ">"]
    number: float

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.number:g}"

    def holds(self, value: float) -> bool:
        return value < self.number if self.sign == "<" else value > self.number


def _comparison(value: object) -> Comparison:
    found = COMPARISON.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError
    return Comparison(found["metric"], "<" if found["sign"] == "<" else ">", float(found["number"]))


def _limits(value: object) -> dict[str, tuple[float | None, float | None]]:
    limits = msgspec.convert(_by_column(value), dict[str, tuple[Number | None, Number | None]])
    if any(low is not None and high is not None and low > high for low, high in limits.values()):
        raise ValueError
    return limits


Text = Annotated[str, Kind("a string", _text, str)]
Texts = Annotated[tuple[str, ...], Kind("a string or a list of strings", _texts, _listed)]
Markers = Annotated[
    Mapping[str, tuple[str, ...]],
    Kind(
        "a string, a list of strings, or column names with either",
        _markers,
        lambda text: yaml.safe_load(text) if text.startswith("{") else _listed(text),
    ),
]
Candidates = Annotated[
    tuple[str, ...],
    Kind(f"a list of {', '.join(CANDIDATES)} or package.module:function, each at most once", _candidates, _listed, CANDIDATES),
]
Protocols = Annotated[
    tuple[str, ...], Kind(f"a list of {', '.join(PROTOCOLS)}, each at most once", _protocols, _listed, PROTOCOLS)
]
Flag = Annotated[bool, Kind("true or false", _flag)]
Types = Annotated[
    Mapping[str, ColumnType],
    Kind(
        f"column names with one of {', '.join(get_args(ColumnType))}",
        lambda value: msgspec.convert(_by_column(value), dict[str, ColumnType]),
        choices=get_args(ColumnType),
    ),
]
Formats = Annotated[Mapping[str, str], Kind("column names with an example each", _text_by_column)]
Expressions = Annotated[Mapping[str, str], Kind("column names with an expression each", _text_by_column)]
Limits = Annotated[
    Mapping[str, tuple[float | None, float | None]],
    Kind("column names with a pair of numbers each, such as [0, 120]; null is no limit", _limits),
]
OneComparison = Annotated[Comparison, Kind("a metric, < or >, and a number, such as accuracy < 0.68", _comparison, str)]
Command = Annotated[tuple[str, ...], Kind("one command, without pipes or redirections (no shell runs it)", _command, str)]
Remote = Annotated[str, Kind("s3://bucket/prefix", _remote)]
VariableName = Annotated[str, Kind("the name of an environment variable", _variable, secret=SECRET)]
Filter = Annotated[Mapping[str, Any], Kind("a filter of MongoDB", _filter)]
Paths = Annotated[Mapping[str, str], Kind("column names with the dotted path of a field each", _paths)]
