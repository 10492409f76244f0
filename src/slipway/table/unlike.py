"""How rows that are answered are unlike training, and how it is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from slipway.table.faults import LISTED, FieldProblem
from slipway.table.schema import Field

UNSEEN_LEVEL = "a level that training never saw"


@dataclass(frozen=True)
class Unlike:
    """How some rows are unlike training, though they are answered.

    Parameters
    ----------
    field, reason, detail : str
    rows : ndarray of int
        Which of them, from 0.
    """

    field: str
    reason: str
    detail: str
    rows: np.ndarray


def beyond(field: Field) -> str:
    """What is told of a value outside of a field's range that is answered."""
    return f"a {'date' if field.type == 'date' else 'number'} outside the range seen in training, {field.range}"


def warnings(unlike: Sequence[Unlike], limit: int = LISTED) -> list[FieldProblem]:
    """The first `limit` of them, by row and field."""
    found = [
        FieldProblem(row + 1, each.field, each.reason, each.detail) for each in unlike for row in each.rows[:limit].tolist()
    ]
    return sorted(found, key=attrgetter("row"))[:limit]


def notes(unlike: Sequence[Unlike], count: int) -> list[str]:
    """Those of each of `count` rows in one text; empty where there is none."""
    found = [""] * count
    for each in unlike:
        says = str(FieldProblem(None, each.field, each.reason, each.detail))
        for row in each.rows.tolist():
            found[row] += f"; {says}" if found[row] else says
    return found
