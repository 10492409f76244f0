"""Which texts a database takes for the same key: those that differ in case, in accents or in spaces at the end, perhaps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.dialects import postgresql

from slipway.batch.sql_columns import MYSQL, kind_of
from slipway.errors import TableError

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Table

NOT_BYTES = {
    "postgresql": """
        SELECT a.attname, c.collname FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
        WHERE a.attrelid = to_regclass(:quoted) AND NOT c.collisdeterministic""",
    "sqlite": """
        SELECT x.name, x.coll FROM pragma_index_list(:table, :schema) AS l, pragma_index_xinfo(l.name, :schema) AS x
        WHERE l."unique" AND x.key AND upper(x.coll) <> 'BINARY'""",
}
CURE = "Write to a new table, or give the column a collation that tells all texts apart"


def collations(connection: "Connection", table: "Table") -> dict[str, str]:
    """The collations of columns; except of MySQL only those that do not compare bytes, in SQLite those of unique indexes."""
    dialect = connection.dialect
    quoted = ".".join(map(dialect.identifier_preparer.quote_identifier, filter(None, (table.schema, table.name))))
    if dialect.name in MYSQL:
        options = {"no_parameters": True}  # a name may have a %
        shown = connection.exec_driver_sql(f"SHOW FULL COLUMNS FROM {quoted}", execution_options=options).mappings()
        return {str(row["Field"]): str(row["Collation"]) for row in shown if row["Collation"]}
    names = {"table": table.name, "schema": table.schema or "main", "quoted": quoted}
    told = connection.execute(sqlalchemy.text(NOT_BYTES[dialect.name]), names)
    found = {str(row[0]): str(row[1]) for row in told}
    return found | {column.name: "citext" for column in table.columns if isinstance(column.type, postgresql.CITEXT)}


def require_apart(there: Mapping[str, str], read: Mapping[str, str], key: Sequence[str], where: str) -> None:
    """TableError naming a column of the key by whose collation two rows that are read could be one.

    Parameters
    ----------
    there, read : mapping of str to str
        Of the table that is written, and of the input; of `collations`.
    key : sequence of str
    where : str
    """
    for name in key:
        collation = there.get(name)
        if collation and collation != read.get(name) and not _is_finer(collation, read.get(name, "")):
            says = f"{where}: column {name!r} has the collation {collation}, by which two keys of the input could be one"
            raise TableError(says, CURE)


def _is_finer(collation: str, other: str) -> bool:
    """Whether one of MySQL tells all texts apart that another does; no other is one of bytes."""
    pads = collation.endswith("_bin") and not collation.endswith(("_nopad_bin", "_0900_bin"))  # a is the same as a and a space
    if pads:
        return bool(other) and not other.endswith("_0900_bin") and "nopad" not in other and "_0900_" not in other
    return collation == "binary" or collation.endswith("_bin")


def require_length(there: Any, columns: Sequence["Column[Any]"], where: str) -> None:
    """TableError naming a column of text that is shorter than that of the input: spaces at the end are cut off silently."""
    for column in columns:
        length, wanted = getattr(there[column.name].type, "length", None), getattr(column.type, "length", None)
        if length and kind_of(column.type) == "str" and (wanted is None or length < wanted):
            says = f"{where}: column {column.name!r} holds {length} letters, and keys of the input can be longer"
            raise TableError(says, "Make it as long as there, or write to a new table")
