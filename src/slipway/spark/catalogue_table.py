"""A table of the session's catalogue as a place for scored rows or rejects."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.errors import TableError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


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
        """The same for each way to write the same name, once the table is there."""
        if not self.session.catalog.tableExists(self.name):
            return self.name
        found = self.session.catalog.getTable(self.name)
        return ".".join([found.catalog or "", *(found.namespace or ()), found.name]).lower()

    @property
    def unfinished(self) -> str:
        """The name of the table where all rows are before any is in this one."""
        return beside(self.name, "_partial")

    def tidy(self) -> None:
        """Remove what an unfinished run left."""
        self.session.sql(f"DROP TABLE IF EXISTS {self.unfinished}")

    def stage(self, frame: "DataFrame", by: str) -> "DataFrame":
        """Write a frame to a table beside this one; the frame as it was written."""
        frame.write.saveAsTable(self.unfinished)
        return self.session.table(self.unfinished)

    def put_staged(self, staged: "DataFrame", by: str) -> None:
        """Replace all rows by the staged ones whose `by` is false."""
        self.put(staged.where(~staged[by]).drop(by))
        self.tidy()

    def put(self, frame: "DataFrame") -> None:
        """Replace all rows by those of a frame; in one step where the table's format has transactions."""
        if not self.session.catalog.tableExists(self.name):
            frame.write.saveAsTable(self.name)
            return
        columns = self.session.table(self.name).columns
        if {*map(str.lower, columns)} != {*map(str.lower, frame.columns)}:
            told = f"{self.location}: has the columns {', '.join(columns)}, and not {', '.join(frame.columns)}"
            raise TableError(told, "Name another table, or drop this one")
        ordered = frame.select(*("`{}`".format(column.replace("`", "``")) for column in columns))
        ordered.write.insertInto(self.name, overwrite=True)


def beside(name: str, ending: str) -> str:
    """The name of a table with something behind it, within its quotes if it has some."""
    return f"{name[:-1]}{ending}`" if name.endswith("`") else name + ending
