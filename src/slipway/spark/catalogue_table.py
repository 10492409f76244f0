"""A table of the session's catalogue as a place for scored rows or rejects."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.errors import TableError
from slipway.spark.hadoop_folder import resolved

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SESSION = "spark_catalog"  # what Spark calls its own catalogue


@dataclass(frozen=True)
class CatalogueTable:
    """A table that is made, or overwritten if it is there.

    Parameters
    ----------
    session : SparkSession
    name : str
        Such as ``catalog.schema.table``, quoted as in SQL.
    """

    session: "SparkSession"
    name: str

    @property
    def location(self) -> str:
        return f"spark:{self.name}"

    @property
    def identity(self) -> str:
        """The same for each way to write the same name."""
        return self._qualified(self.name)

    @property
    def identities(self) -> tuple[str, ...]:
        """All by which its rows can be read: the name, and the folder that has them, if there is one."""
        if not self.session.catalog.tableExists(self.name):
            return (self.identity,)
        told = self.session.sql(f"DESCRIBE TABLE EXTENDED {self.name}").collect()
        folders = [row.data_type for row in told if row.col_name == "Location"]  # the last one is no column of the table
        return self.identity, *map(resolved, folders[-1:])

    @property
    def owned(self) -> tuple[str, ...]:
        """The identities of all that a run replaces or removes."""
        return *self.identities, self._qualified(self.unfinished)

    @property
    def is_of_session(self) -> bool:
        """Whether the catalogue that has it is the one that each session brings along."""
        return self.identity.startswith(f"`{SESSION}`.") and "/" not in self.name

    @property
    def unfinished(self) -> str:
        """The name of the table where all rows are before any is in this one."""
        return beside(self.name, "_slipway_partial")

    def tidy(self) -> None:
        """Remove what an unfinished run left."""
        self.session.sql(f"DROP TABLE IF EXISTS {self.unfinished}")

    def stage(self, frame: "DataFrame", by: str) -> "DataFrame":
        """Write a frame to a table beside this one; the frame as it was written."""
        self._fill(self.unfinished, frame)
        return self.session.table(self.unfinished)

    def put_staged(self, staged: "DataFrame", by: str, count: int) -> None:
        """Replace all rows by the staged ones whose `by` is false, which are so many."""
        self.put(staged.where(~staged[by]).drop(by))
        self.tidy()

    def put(self, frame: "DataFrame") -> None:
        """Replace all rows by those of a frame; in one step where the table's format has transactions."""
        if not self.session.catalog.tableExists(self.name):
            self._fill(self.name, frame)
            return
        columns = self.session.table(self.name).columns
        if {*map(str.lower, columns)} != {*map(str.lower, frame.columns)}:
            told = f"{self.location}: has the columns {', '.join(columns)}, and not {', '.join(frame.columns)}"
            raise TableError(told, "Name another table, or drop this one")
        ordered = frame.select(*("`{}`".format(column.replace("`", "``")) for column in columns))
        ordered.write.insertInto(self.name, overwrite=True)

    def _fill(self, name: str, frame: "DataFrame") -> None:
        """Make a table of a frame. It is in the catalogue before its rows are anywhere: what a kill leaves can be dropped."""
        self.session.catalog.createTable(name, schema=frame.schema)
        frame.write.insertInto(name)

    def _qualified(self, name: str) -> str:
        """A name with catalogue and schema, quoted, in lower case."""
        catalogs, parser = self.session.catalog, self.session._jsparkSession.sessionState().sqlParser()
        found = parser.parseMultipartIdentifier(name)
        parts = [str(found.apply(place)) for place in range(found.size())]
        if len(parts) == 1:
            parts.insert(0, catalogs.currentDatabase())
        if parts[0] != SESSION and not self.session.conf.get(f"spark.sql.catalog.{parts[0]}", ""):
            parts.insert(0, catalogs.currentCatalog())
        return ".".join(f"`{part}`" for part in parts).lower()


def beside(name: str, ending: str) -> str:
    """The name of a table with something behind it, within its quotes if it has some."""
    return f"{name[:-1]}{ending}`" if name.endswith("`") else name + ending
