"""A call of the service, the rows of it that count as predictions, and what was answered to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from slipway.model.scoring import Answers
from slipway.table.schema import Columns
from slipway.table.unlike import Unlike


class Call(msgspec.Struct):
    """One request, from its arrival to the last byte of its answer; Flask keeps it as ``g.call``.

    Attributes
    ----------
    request_id : str
    started : float
        Of `time.perf_counter`, in seconds.
    client : str
        What the log calls who sent it; empty where no key is needed.
    rows : int
        How many were answered so far.
    failure : Exception or None
        Why it cannot be answered, as found in front of Flask, which answers it then.
    """

    request_id: str
    started: float
    client: str = ""
    rows: int = 0
    failure: Exception | None = None


@dataclass(frozen=True)
class Asked:
    """Rows to answer that count, whichever way they came.

    Parameters
    ----------
    columns : mapping
        Typed columns of `count` rows.
    count : int
    reasons : mapping of int to str
        Rows, from 0, that cannot be answered, and why.
    rows : callable
        Gives the chosen rows, or all for None, as the log has them.
    refused, warned : mapping of str to int
        By field and reason, what the reading found.
    whole : bool
        Whether all are answered or none.
    places : sequence of int or None
        Of the rows in the request, from 0; None when all are here.
    """

    columns: Columns
    count: int
    reasons: Mapping[int, str]
    rows: Callable[[np.ndarray | None], Sequence[Any]]
    refused: Mapping[str, int]
    warned: Mapping[str, int]
    whole: bool
    places: Sequence[int] | None = None

    def numbers(self, chosen: np.ndarray | None) -> Sequence[int] | None:
        """The places of the chosen rows; None when they are all."""
        if self.places is None:
            return None if chosen is None else chosen.tolist()
        return self.places if chosen is None else [self.places[row] for row in chosen.tolist()]


@dataclass(frozen=True)
class Answered:
    """What was answered, and how these rows are unlike training."""

    answers: Answers
    unlike: Sequence[Unlike]
