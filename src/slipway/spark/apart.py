"""What a run reads, and the places that it writes to and removes: whether one lies in another."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from slipway.errors import TableError
from slipway.spark.catalogue_table import CatalogueTable
from slipway.spark.hadoop_folder import HadoopFolder, resolved

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Place: TypeAlias = HadoopFolder | CatalogueTable
REJECTS = "Name another one with --rejects"


def require_apart(table: "DataFrame", source: Place, out: Place, rejects: Place) -> None:
    """TableError when what is read would be written to, or removed as the remains of a run; or OUT by the rejects."""
    read = set(_files(table))
    for name, place in (("OUT", out), ("the table of rejects", rejects)):
        for owned in place.owned:
            matched = fnmatchcase(owned, source.identity) or any(_within(owned, each) for each in source.identities)
            if matched or any(_within(each, owned) for each in (*read, *source.identities)):
                raise TableError(f"{place.location}: {name} would overwrite IN, or lies in it", "Write to another place")
    if out.identity == rejects.identity:
        raise TableError(f"{out.location}: is OUT and the table of rejects", REJECTS)
    if any(_within(one, other) or _within(other, one) for one in out.owned for other in rejects.owned):
        raise TableError(f"{rejects.location}: the table of rejects and OUT would overwrite each other", REJECTS)


def _files(table: "DataFrame") -> Iterator[str]:
    """Those that a table is read from."""
    jvm: Any = table.sparkSession._jvm
    joined = jvm.org.apache.hadoop.util.StringUtils.join("\n", table._jdf.inputFiles())  # one call of Java, not one for each
    return (resolved(unquote(each)) for each in joined.splitlines())


def _within(inner: str, outer: str) -> bool:
    return f"{inner}/".startswith(f"{outer}/")
