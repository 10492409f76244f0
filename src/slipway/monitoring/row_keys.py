"""By what a label finds its predictions: the ids of the row, or the request's id and the number of the row in it."""

from collections.abc import Callable, Iterable, Sequence

import pyarrow
from pyarrow import compute

from slipway.monitoring.logged_rows import LoggedRows
from slipway.table.row_id import BETWEEN, id_text

IDS, REQUEST = "ids", "request"  # how the one and the other key begins
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


def places(rows: LoggedRows, ids: Sequence[str], keys: pyarrow.Array) -> pyarrow.ChunkedArray:
    """Per row the place of its key in `keys`, from 0; null when it is not there. The key by ids goes first."""
    by_request = compute.index_in(request_keys(rows), value_set=keys)
    by_id = id_keys(rows, ids)
    return by_request if by_id is None else compute.coalesce(compute.index_in(by_id, value_set=keys), by_request)
