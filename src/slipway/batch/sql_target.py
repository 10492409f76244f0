"""The table OUT before the first row: whether it exists, what names its rows, and what it is to have."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from msgspec.structs import replace
from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Table

from slipway.batch.place import state
from slipway.batch.sql_collation import collations, require_apart, require_length
from slipway.batch.sql_columns import MYSQL, creatable, quoted, require_fit
from slipway.batch.sql_place import TablePlace, upsert
from slipway.errors import TableError
from slipway.sections import Sql
from slipway.sources.sql_faults import told
from slipway.sources.sql_server import place, table_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

WRITTEN = ("postgresql", "sqlite", *MYSQL)


@dataclass(frozen=True)
class SqlTarget:
    """A table that answers are to be written to.

    Parameters
    ----------
    location : str
        As the command has it.
    engine : Engine
    settings : Sql
        Its `table` is this one.
    existing : Table or None
    unique : tuple of frozenset of str
        The sets of columns that the existing table keeps unique.
    collations : mapping of str to str
        Of the columns of the existing table.
    schema : str
        Of tables that are named without one; may be empty.
    """

    location: str
    engine: "Engine"
    settings: Sql
    existing: Table | None
    unique: tuple[frozenset[str], ...]
    collations: Mapping[str, str]
    schema: str

    @property
    def where(self) -> str:
        """For messages."""
        return place(self.settings, self.engine)

    @property
    def primary(self) -> tuple[str, ...]:
        """The primary key of an existing table."""
        return () if self.existing is None else tuple(self.existing.primary_key.columns.keys())

    def place(
        self,
        columns: Sequence[Column[Any]],
        key: Sequence[str],
        typed: bool,
        collations: Mapping[str, str],
        options: dict[str, Any],
        folder: Path,
    ) -> TablePlace:
        """Where rows of these columns go, under this key.

        Parameters
        ----------
        columns : sequence of Column
        key : sequence of str
        typed : bool
            Whether the values are of this program's types and not of the database's driver.
        collations : mapping of str to str
            Of the columns of the input.
        options : dict
            Of a table that does not exist yet.
        folder : Path
            Where the record of the run is kept.

        Raises
        ------
        TableError
            When the existing table lacks a column, could not keep a value unchanged, or does not keep the key unique as
            the input does.
        """
        table = self.existing
        if table is None:
            schema, _, name = str(self.settings.table).rpartition(".")
            made = creatable(columns, self.where, self.engine.dialect.name)
            table = Table(name, MetaData(), *made, PrimaryKeyConstraint(*key), schema=schema or None, **options)
        else:
            require_fit(table, columns, self.where)
            self._require_key(frozenset(key))
            require_apart(self.collations, collations, key, self.where)
            if not typed and self.engine.dialect.name != "sqlite":  # files have no lengths, and SQLite knows none
                require_length(table.c, [column for column in columns if column.name in key], self.where)
        quoted(table)
        statement = upsert(table, [column.name for column in columns], key, self.engine.dialect.name, typed)
        url = self.engine.url
        own = str(table.fullname).removeprefix(f"{self.schema}.")
        unfinished = state(f"{url.host}:{url.port}/{url.database}/{own}", folder)
        exists = self.existing is not None
        return TablePlace(self.location, self.engine, self.settings.url, self.where, table, statement, unfinished, exists)

    def _require_key(self, key: frozenset[str]) -> None:
        listed = ", ".join(sorted(key))
        if key not in self.unique:
            cure = f"Add a unique index over ({listed}), or write to a new table"
            raise TableError(f"{self.where}: has no primary key or unique index over ({listed})", cure)
        others = [names for names in self.unique if not names >= key]
        if others and self.engine.dialect.name in MYSQL:
            other = ", ".join(sorted(others[0]))
            says = f"{self.where}: has another unique index, over ({other}), by which rows could be replaced"
            raise TableError(says, "Drop it, or write to a new table")


def open_target(settings: Sql, location: str, name: str, engine: "Engine") -> SqlTarget:
    """The table as it is now; TableError when `name` is empty, or the database is one that is only read."""
    dialect = engine.dialect.name
    if dialect not in WRITTEN:
        raise TableError(f"{location}: Slipway does not write to {dialect}", "Write Parquet, and load that")
    if not name:
        raise TableError(f"{location}: names no table", "Write sql:TABLE")
    settings = replace(settings, table=name, query=None)
    with told(settings.url, place(settings, engine)), engine.connect() as connection:
        schema, _, own = name.rpartition(".")
        inspector = sqlalchemy.inspect(connection)
        is_there = inspector.has_table(name) or bool(schema) and inspector.has_table(own, schema)
        existing = table_of(engine, name, settings.url, connection) if is_there else None
        unique = () if existing is None else tuple(unique_sets(connection, existing))
        compared = {} if existing is None else collations(connection, existing)
        usual = inspector.default_schema_name or ""
    return SqlTarget(location, engine, settings, existing, unique, compared, usual)


def unique_sets(connection: "Connection", table: Table) -> list[frozenset[str]]:
    """The sets of columns that a table keeps unique."""
    inspector = sqlalchemy.inspect(connection)
    found: list[Collection[str | None]] = [table.primary_key.columns.keys()]
    found += [each["column_names"] for each in inspector.get_unique_constraints(table.name, table.schema)]
    for index in inspector.get_indexes(table.name, table.schema):
        partial = any(name.endswith("_where") for name in index.get("dialect_options", {}))
        if index["unique"] and not partial and not index.get("expressions"):
            found.append(index["column_names"])
    return [frozenset(map(str, names)) for names in found if names]
