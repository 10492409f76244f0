"""Labelled rows of production as a table to learn from: the entry ``log`` of a source.

What comes back is what was asked and what really happened. What the model answered does not: a model that learned from its
own answers would only confirm itself.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import pyarrow
from pyarrow import compute, types

from slipway.errors import ProblemError, TableError
from slipway.model.contents import schema_of
from slipway.monitoring.cohorts import cohorts, labelled
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.logged_rows import LoggedRows
from slipway.monitoring.partitions import Log, log_of
from slipway.monitoring.row_keys import id_key, id_keys
from slipway.problem import LOG, Problem
from slipway.sources.batches import ROWS, Batches, batches_of
from slipway.store.local import open_store
from slipway.table.cell import typed_text
from slipway.table.dates import parse_datetime
from slipway.table.formats import number, problem_format
from slipway.table.identity import fingerprint
from slipway.table.row_id import id_text

YES = ("true", "1", "yes")  # what `acted` says of an answer that somebody followed
NOTHING = "Add labels with slipway labels; slipway watch says how many have come. Or name files in source as well"


@dataclass(frozen=True)
class Returned:
    """Labelled rows of the log.

    Parameters
    ----------
    table : Table
        Features and ids as the log has them, the target as text, and the problem's time if rows do not carry it: then it is
        when they were answered. A row without ids has the request's id and its number there.
    keys : sequence of str or None
        The ids of each row as one text; None where one is missing.
    acted : int
        Rows whose answer somebody acted on.
    repeated : int
        Other predictions of the same ids, and what was asked when its label was known, on these days: left out.
    """

    table: pyarrow.Table
    keys: Sequence[str | None]
    acted: int = 0
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.keys)


def labelled_table(problem: Problem, log: Log, today: date) -> Returned:
    """The rows of the days of which nearly all labels have come, in the order in which they were answered.

    Whatever bundle answered: the truth does not depend on it.

    Parameters
    ----------
    problem : Problem
    log : Log
        Collected.
    today : date
        In UTC.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    labels = in_force(log)
    days = cohorts(log, labels, problem.id, today).matured
    found = labelled(log, labels, problem.id, [day.day for day in days])
    if found is None:
        return Returned(pyarrow.table({}), ())
    rows, keys = found.rows, _keys(found.rows, problem.id)
    last = _last_of_each(rows, keys)
    rows = LoggedRows(rows.calls.take(last), rows.cells.take(last) if rows.cells.column_names else rows.cells)
    told = found.labels.take(last)
    table = _with_ids(rows, problem.id)
    if problem.time and problem.time not in table.column_names:
        table = table.append_column(problem.time, _moments(rows))
    table = table.append_column(problem.target, told.column("label"))
    acted = compute.is_in(told.column("acted"), value_set=pyarrow.array(YES))
    repeated = sum(day.repeated for day in days) + len(keys) - len(last)
    return Returned(table, [keys[place] for place in last.to_pylist()], compute.sum(acted).as_py() or 0, repeated)


def _keys(rows: LoggedRows, ids: Sequence[str]) -> list[str | None]:
    found = id_keys(rows, ids)
    return [None] * len(rows) if found is None else found.to_pylist()


def _last_of_each(rows: LoggedRows, keys: Sequence[str | None]) -> pyarrow.Array:
    """Places of the rows by when they were answered: of several with one id the last, so that no row counts twice."""
    order = compute.sort_indices(rows.calls, [(name, "ascending") for name in ("at", "id", "number")])
    last = {keys[place]: place for place in order.to_pylist()}
    kept = [keys[place] is None or last[keys[place]] == place for place in order.to_pylist()]
    return order.filter(pyarrow.array(kept, pyarrow.bool_()))


def _with_ids(rows: LoggedRows, ids: Sequence[str]) -> pyarrow.Table:
    """The cells, and in the place of an id that is missing the name of the prediction."""
    table = rows.cells
    named = compute.binary_join_element_wise(rows.calls.column("id"), rows.calls.column("number").cast(pyarrow.string()), "/")
    for name in ids:
        if name not in table.column_names:
            table = table.append_column(name, named)
            continue
        texts = pyarrow.array(map(id_text, table.column(name).to_pylist()), pyarrow.string())
        filled = compute.coalesce(texts, named.combine_chunks())
        table = table.set_column(table.schema.get_field_index(name), name, filled)
    return table


def _moments(rows: LoggedRows) -> pyarrow.ChunkedArray:
    seconds = rows.calls.column("at").cast(pyarrow.timestamp("s"), safe=False)
    return compute.strftime(seconds, "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True)
class LogSource:
    """The source ``log``, alone or beside files.

    Parameters
    ----------
    problem : Problem
    today : date
        In UTC.
    environ : mapping
    """

    problem: Problem
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def where(self) -> str:
        return "the prediction log"

    @property
    def variables(self) -> tuple[str, ...]:
        return ()

    def fingerprint(self) -> Iterator[bytes]:
        """Of the labelled rows: not of all that the service is asked, which is more every day."""
        yield fingerprint(self._found().table).encode()

    def ping(self) -> None:
        self._found()

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> Batches:
        """The labelled rows alone, of the types that the champion learned from."""
        self._require_readable(self.problem.log.hash, "the model would be asked what it never learned from")
        found = self._found()
        if not len(found):
            raise TableError(f"source: {LOG}: no collected row has a label, of a day whose labels have come", NOTHING)
        table = _typed(found.table, self._integers(), self.problem)
        for name in self.problem.drop:  # the log has no column of it, and the settings may stay as they were for files
            if name not in table.column_names:
                table = table.append_column(name, pyarrow.nulls(len(found)))
        table = table.select([name for name in table.column_names if columns is None or name in columns])
        return replace(batches_of(table), consistent=self._remark(found))

    def beside(self, files: Batches) -> Batches:
        """The rows of files, and after them the labelled rows whose ids are in none of them, as the files have cells.

        Raises
        ------
        ProblemError
            When the log omits or hashes a column of the files.
        """
        private = [*self.problem.log.omit, *self.problem.log.hash]
        self._require_readable([name for name in private if name in files.names], "the files have it as it is")
        found = self._found()
        ids = [name for name in self.problem.id if name in files.names]

        def read() -> Iterator[pyarrow.RecordBatch]:
            kinds: dict[str, pyarrow.DataType] = {}
            absent = {*found.keys}
            for batch in files.read():
                kinds |= {each.name: each.type for each in batch.schema if not types.is_null(each.type)}
                texts = {name: [id_text(cell) for cell in batch.column(name).to_pylist()] for name in ids}
                absent.difference_update(_keys_of(texts, self.problem.id))
                yield _with_texts(batch, texts)
            rows = [key is None or key in absent for key in found.keys]
            if any(rows):
                kinds |= dict.fromkeys(ids, pyarrow.string())
                table = found.table.filter(pyarrow.array(rows))
                yield from _like(table, files.names, kinds, self.problem).to_batches(max_chunksize=ROWS)

        rows = None if files.rows is None else files.rows + len(found)
        says = ". ".join(filter(None, [files.consistent.rstrip("."), self._remark(found, beside=True)]))
        return replace(files, rows=rows, read=read, consistent=says)

    def _found(self) -> Returned:
        return labelled_table(self.problem, log_of(self.problem, self.environ), self.today)

    def _require_readable(self, private: Sequence[str], why: str) -> None:
        """ProblemError when one of these columns is learned from."""
        for name in private:
            if name not in (*self.problem.drop, *self.problem.id):
                setting = "omit" if name in self.problem.log.omit else "hash"
                says = f"source: {LOG}: the log does not have {name} as it was (log.{setting}), and {why}"
                raise ProblemError(says, f"Add {name} to drop, or take it out of log.{setting}")

    def _integers(self) -> set[str]:
        """Columns that the champion knows as integers: the log has all numbers as doubles."""
        store = open_store(self.problem.folder)
        pointer = store.pointer()
        if pointer is None or pointer.digest not in store.digests():
            return set()
        return {each.name for each in schema_of(store.bundle(pointer.digest)) if each.type == "integer"}

    def _remark(self, found: Returned, beside: bool = False) -> str:
        """What a reader of the results must know."""
        says = [f"{len(found):,} labelled rows of the prediction log"]
        if found.acted:
            says.append(f"somebody acted on the answers of {found.acted:,} of them")
        if found.repeated:
            says.append(f"{found.repeated:,} other predictions of the same ids were left out")
        if beside and any(key is not None for key in found.keys):
            says.append("those whose id the files have are taken from the files")
        elif beside and len(found):
            says.append("they have no ids, so that some may be in the files, too")
        return "; ".join(says)


def _keys_of(texts: Mapping[str, Sequence[str | None]], ids: Sequence[str]) -> Iterator[str]:
    """The key of each row of a file, as the log has it."""
    if not ids or set(ids) != set(texts):
        return
    for row in zip(*(texts[name] for name in ids)):
        if None not in row:
            yield id_key(row)


def _with_texts(batch: pyarrow.RecordBatch, texts: Mapping[str, Sequence[str | None]]) -> pyarrow.RecordBatch:
    """The same with ids as texts, as the log has them."""
    for name, cells in texts.items():
        if not types.is_string(batch.schema.field(name).type):
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(place, name, pyarrow.array(cells, pyarrow.string()))
    return batch


def _typed(table: pyarrow.Table, integers: Collection[str], problem: Problem) -> pyarrow.Table:
    """The types that a table has whose cells are typed."""
    kinds = {name: pyarrow.int64() for name in integers if name in table.column_names}
    labels = table.column(problem.target).to_pylist()
    if all(label == typed_text(number(label)) for label in labels):  # else a number would lose the zero of 01
        kinds[problem.target] = pyarrow.float64()
    for name, kind in kinds.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, _cells_like(table.column(name), kind, problem, name))
    return table


def _like(
    table: pyarrow.Table, names: Sequence[str], kinds: Mapping[str, pyarrow.DataType], problem: Problem
) -> pyarrow.Table:
    """The columns that files have, of their types; a column that the log lacks is empty."""
    columns = []
    for name in names:
        kind = kinds.get(name, pyarrow.string())
        has = name in table.column_names
        columns.append(_cells_like(table.column(name), kind, problem, name) if has else pyarrow.nulls(table.num_rows, kind))
    return pyarrow.table(columns, names=list(names))


def _cells_like(cells: pyarrow.ChunkedArray, kind: pyarrow.DataType, problem: Problem, name: str) -> pyarrow.ChunkedArray:
    """Cells of the log as a file has them: in its type where they fit it, and texts of numbers in the column's format."""
    texts = [cell if cell is None or isinstance(cell, str) else typed_text(cell) for cell in cells.to_pylist()]
    try:
        if types.is_temporal(kind):
            moments = [None if text is None else parse_datetime(text) for text in texts]
            return pyarrow.chunked_array([pyarrow.array(moments, pyarrow.timestamp("us")).cast(kind, safe=False)])
        form = problem_format(problem, name)
        if form and form.kind == "number" and not types.is_primitive(kind):
            texts = [None if text is None else form.written(text) for text in texts]
        return pyarrow.chunked_array([pyarrow.array(texts, pyarrow.string()).cast(kind)])
    except (ValueError, pyarrow.ArrowException):  # a fraction among integers: whoever joins the parts finds a type for both
        return cells
