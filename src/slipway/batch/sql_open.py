"""From what the command says to a batch that writes to a table of a database."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyarrow import RecordBatch, record_batch
from sqlalchemy import Column as TableColumn
from sqlalchemy import Engine, Table

from slipway.batch.input import Source, open_tables
from slipway.batch.output import Output
from slipway.batch.place import Target
from slipway.batch.scorer import Scorer
from slipway.batch.sql_cells import require_key_of_cells, schema_of
from slipway.batch.sql_columns import MYSQL, answer_columns, answer_names, columns_like, columns_of, kind_of, lengths
from slipway.batch.sql_input import open_input
from slipway.batch.sql_key import key_of, require_key, require_order
from slipway.batch.sql_place import Upserts
from slipway.batch.sql_rows import EXACT, TableRows, is_float_of_mysql
from slipway.batch.sql_target import SqlTarget, open_target
from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sections import Sql
from slipway.sources.files import PARQUET
from slipway.sources.sql_types import Column, Misfit
from slipway.table.schema import require_columns

SQL = "sql:"
NO_SNAPSHOT = (
    "SQLite holds no snapshot for a reader while another connection writes, unless the journal mode of the database is WAL: "
    "what is changed in the table during the run may or may not be in the answers"
)


def open_to_table(
    problem: Problem, engine: Engine, read: Sql | None, location: str, out: str, scorer: Scorer, folder: Path
) -> tuple[Source, Output, Target]:
    """The input, checked against the table OUT; how its answered rows are written; and that table.

    Parameters
    ----------
    problem : Problem
    engine : Engine
        That may write.
    read : Sql or None
        The table or query that `location` names, when it is one.
    location, out : str
    scorer : Scorer
    folder : Path
        Where the record of the run is kept.

    Raises
    ------
    TableError
        When there is no key, when IN or OUT lacks a column, when OUT cannot take the cells of IN unchanged, or when the key
        does not tell the rows of IN apart.
    """
    target = open_target(problem.sql, out, out.removeprefix(SQL), engine)
    if read:
        return _from_table(problem, read, location, target, scorer, folder)
    if location.lower().endswith(PARQUET):
        return _from_files(problem, location, target, scorer, folder)
    says = f"{out}: only the typed cells of a table of the same database, or of Parquet, are written to a table"
    raise TableError(says, "Write Parquet first, or load the file into the database")


def _answers(scorer: Scorer, names: tuple[str, ...], target: SqlTarget) -> list[TableColumn[Any]]:
    return answer_columns(answer_names(scorer.added, names), bool(scorer.predictor.classes), target.engine.dialect)


def _from_files(
    problem: Problem, location: str, target: SqlTarget, scorer: Scorer, folder: Path
) -> tuple[Source, Output, Target]:
    source = open_tables(location, scorer.needed, whole=True)
    key = key_of(problem, location, source.names, target.primary)
    dialect = "mariadb" if getattr(target.engine.dialect, "is_mariadb", False) else target.engine.dialect.name
    columns = columns_of(schema_of(location, source.names), key, location, dialect)
    columns += _answers(scorer, source.names, target)
    require_order([column for column in columns if column.name in key], location, dialect)
    place = target.place(columns, key, True, {}, {}, folder)
    require_key_of_cells(location, key, {} if dialect == "sqlite" else lengths(place.table, key))
    return source, Upserts(dialect), place


def _from_table(
    problem: Problem, read: Sql, location: str, target: SqlTarget, scorer: Scorer, folder: Path
) -> tuple[Source, Output, Target]:
    found = open_input(read, target.engine)
    dialect, table = target.engine.dialect.name, found.table
    names = tuple(table.columns.keys())
    require_columns(f"{location}:", names, scorer.needed)
    _require_another(found.settings.table, target)
    key = key_of(problem, location, names, table.primary_key.columns.keys() or target.primary)
    if dialect != "sqlite":  # where values have types, and columns none
        require_order([table.c[name] for name in key], location, dialect)
    _require_cells(table, scorer.needed, location, dialect)
    answers = _answers(scorer, names, target)
    columns = columns_like(table, {name: found.collations[name] for name in key if name in found.collations})
    place = target.place(columns + answers, key, False, found.collations, _options(table), folder)
    with found.connect() as connection:
        require_key(connection, found.rows, key, found.is_unique(connection, key), location)
    rows, snapshot = found.count(), found.holds_snapshot()
    if not rows:
        raise TableError(f"{location}: has no rows")
    cells = partial(_cells, table, scorer.needed, location)
    part = TableRows(location, found.rows, key, scorer.needed, found.connect, cells, rows, snapshot)
    identity = [found.where, found.settings.query, list(names), list(key), [column.name for column in answers]]
    source = Source(location, names, (part,), (rows,), identity, "" if snapshot else NO_SNAPSHOT)
    return source, Upserts(dialect), place


def _require_cells(table: Table, needed: Sequence[str], where: str, dialect: str) -> None:
    """TableError naming a column of the model whose type no source reads."""
    for name in needed:
        if dialect != "sqlite" and kind_of(table.c[name].type) not in EXACT:
            raise TableError(f"{where}: column {name!r}: the type is {table.c[name].type}", "Convert it in sql.query")


def _cells(table: Table, needed: tuple[str, ...], where: str, rows: Sequence[Any]) -> RecordBatch:
    """The cells to predict from, typed as the source of this name types them."""
    names, cells = list(table.columns.keys()), []
    for name in needed:
        values = [row[names.index(name)] for row in rows]
        if is_float_of_mysql(table.c[name].type):
            values = [None if value is None else float(f"{value:.6g}") for value in values]  # what MySQL shows of it
        try:
            cells.append(Column(name).cells(values))
        except Misfit as misfit:
            raise TableError(f"{where}: column {name!r}: {misfit.says}", "Convert it in sql.query") from None
    return record_batch(cells, list(needed))


def _require_another(read: str | None, target: SqlTarget) -> None:
    """TableError when a table would be written to while it is read."""
    if read is None or target.existing is None:
        return
    names = {read, str(target.settings.table)}
    plain = {name.removeprefix(f"{target.schema}.") for name in names}
    if target.engine.dialect.name == "sqlite":  # which takes A and a for the same
        plain = {name.lower() for name in plain}
    if len(plain) == 1:
        raise TableError(f"{target.location}: OUT would overwrite IN", "Write to another table")


def _options(table: Table) -> dict[str, Any]:
    """What a table of MySQL has for all its texts; a view does not tell it, and the database's own may hold fewer letters."""
    told = {name: value for name, value in table.kwargs.items() if name.endswith(("_charset", "_collate", "default charset"))}
    return told or {f"{dialect}_charset": "utf8mb4" for dialect in MYSQL}
