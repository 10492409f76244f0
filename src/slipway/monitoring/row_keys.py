"""By what a label finds its predictions: the ids of the row, or the request's id and the number of the row in it."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow
from pyarrow import compute

from slipway.monitoring.logged_rows import MOMENT, LoggedRows
from slipway.table.row_id import BETWEEN, id_text

IDS, REQUEST = "ids", "request"  # how the one and the other key begins
DAY = 86_400_000_000  # microseconds
Logged = Callable[[str, str], str]  # column and text of an id → what the log has of it


def plainly(column: str, text: str) -> str:
    """An id as it is, where the log does not hash it."""
    return text


def id_key(texts: Iterable[str]) -> str:
    """The key of these ids, in the order of the problem's columns."""
    return BETWEEN.join((IDS, *texts))


def request_key(request: str, number: int) -> str:
    return BETWEEN.join((REQUEST, request, str(number)))


def ids_in(key: str) -> Sequence[str]:
    """The ids of a key, in the order of the problem's columns; none when it is a request's."""
    kind, *texts = key.split(BETWEEN)
    return texts if kind == IDS else ()


def id_keys(rows: LoggedRows, ids: Sequence[str]) -> pyarrow.ChunkedArray | None:
    """The key of each row by its ids; null where one is missing, None when the rows have no such columns."""
    if not ids or not set(ids) <= set(rows.cells.column_names):
        return None
    return compute.binary_join_element_wise(IDS, *(id_texts(rows, name) for name in ids), BETWEEN)


def request_keys(rows: LoggedRows) -> pyarrow.ChunkedArray:
    """The key of each row by its request."""
    numbers = rows.calls.column("number").cast(pyarrow.string())
    return compute.binary_join_element_wise(REQUEST, rows.calls.column("id"), numbers, BETWEEN)


def id_texts(rows: LoggedRows, column: str) -> pyarrow.ChunkedArray:
    """The ids in a column; numbers too, if it was not an id when the rows were collected."""
    cells = rows.cells.column(column)
    if pyarrow.types.is_string(cells.type):
        return cells
    return pyarrow.chunked_array([pyarrow.array(map(id_text, cells.to_pylist()), pyarrow.string())])


def places(rows: LoggedRows, ids: Sequence[str], labels: pyarrow.Table) -> pyarrow.ChunkedArray:
    """Per row the place of its label in `labels`, from 0; null when it has none, or was asked too late for it."""
    return places_in_time(rows, ids, labels)[0]


def places_in_time(
    rows: LoggedRows, ids: Sequence[str], labels: pyarrow.Table
) -> tuple[pyarrow.ChunkedArray, pyarrow.ChunkedArray]:
    """The places of the rows' labels, and which rows have none because they were asked too late. A label by ids goes first.

    A prediction that was made after its label was first seen does not get it: whoever asks again for what is known already
    would otherwise choose what the label is learned with. A label seen at midnight has a day and no hour, so it is of the
    whole day.

    Parameters
    ----------
    rows : LoggedRows
        With ids, if they have any.
    ids : sequence of str
        Columns that name a row.
    labels : Table
        Those in force (`slipway.monitoring.known_labels.in_force`).
    """
    keys, by_id = labels.column("key").combine_chunks(), id_keys(rows, ids)
    seen = labels.column("first_seen").cast(pyarrow.int64()).to_numpy()
    until = pyarrow.array(seen + np.where(seen % DAY == 0, DAY - 1, 0)).cast(MOMENT)

    def in_time(place: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
        early = compute.less_equal(rows.calls.column("at"), until.take(place))
        return compute.if_else(early, place, pyarrow.scalar(None, place.type))

    ways = [request_keys(rows)] if by_id is None else [by_id, request_keys(rows)]
    named = [compute.index_in(way, value_set=keys) for way in ways]
    found = compute.coalesce(*map(in_time, named))
    return found, compute.and_(compute.coalesce(*named).is_valid(), found.is_null())
