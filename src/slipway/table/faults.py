"""What can be wrong with the cells of a table or of a request, and how it is told."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LISTED = 100  # problems, of all that are counted
NO_ANSWER = "has no finite answer; its numbers are too far outside the range"
TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field of one row.

    Parameters
    ----------
    row : int or None
        From 1; None for the header of a table, or for all rows.
    field : str or None
        None when the row as a whole is wrong.
    reason : str
        ``type``, ``missing``, ``unknown_field``, ``ignored``, ``unseen_level``, ``out_of_range`` or ``not_finite``.
    detail : str
        What was expected, without what was sent.
    """

    row: int | None
    field: str | None
    reason: str
    detail: str

    def __str__(self) -> str:
        return self.detail if self.field is None else f"{self.field}: {self.detail}"

    def to_json(self) -> dict[str, Any]:
        return {"row": self.row, "field": self.field, "reason": self.reason, "detail": self.detail}


@dataclass(frozen=True)
class Fault:
    """Why a value is refused: the reason and the detail of a `FieldProblem`."""

    reason: str
    detail: str


Faults = dict[int, Fault]


def visible(text: str) -> str:
    """The text with signs that turn the direction of what follows as JSON and Python write them, such as ``\\u202e``."""
    return TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def tally_key(field: str | None, reason: str) -> str:
    """What a wrong cell is counted under: ``age/out_of_range``; ``/type`` where the row as a whole is wrong."""
    return f"{field or ''}/{reason}"


def by_reason(tally: Mapping[str, int]) -> Counter[str]:
    """Such counts by their reason alone."""
    found: Counter[str] = Counter()
    for key, count in tally.items():
        found[key.rpartition("/")[2]] += count
    return found
