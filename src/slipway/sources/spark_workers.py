"""Functions of Slipway on the workers of a Spark cluster.

What is sent there is small and by value: it imports Slipway where it runs, so that a worker without it, or with another
version, says so in one line. In the driver `spark_session.told` finds that line in the stacks of Python and Java around it.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from slipway import __version__

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

SAID = "slipway: "  # before what a worker says in one line


def mapped(
    df: "DataFrame",
    function: str,
    given: bytes,
    schema: "StructType | str",
    libraries: tuple[str, ...] = (),
    barrier: bool = False,
) -> "DataFrame":
    """What a function of Slipway makes of a table, on the workers.

    Parameters
    ----------
    df : DataFrame
        Its columns may have any names: Spark itself takes a dot in one for the way to a part of a column.
    function : str
        ``package.module:name`` of a generator function of Slipway: ``name(given, batches)`` yields record batches.
    given : bytes
        What it needs. It goes with every task; Spark broadcasts what is larger than 1 MB.
    schema : StructType or str
        Of what it yields.
    libraries : tuple of str
        Distributions whose versions must be the driver's, besides Slipway.
    barrier : bool
        Whether all tasks run at once.
    """
    plain = df.toDF(*(f"column{place}" for place in range(len(df.columns))))
    return plain.mapInArrow(_on_workers(function, given, libraries, list(df.columns)), schema, barrier)


def _on_workers(function: str, given: bytes, libraries: tuple[str, ...], names: list[str]) -> Callable[[Any], Any]:
    """That function, as it is sent."""
    wanted = {"slipway-ml": __version__} | {name: version(name) for name in libraries}
    said = SAID

    def run(batches: Any) -> Any:  # its globals are not sent: all that it uses is imported here or in its closure
        import platform
        import sys
        from importlib import import_module
        from importlib.metadata import PackageNotFoundError, version

        where = f"the Spark worker on {platform.node()} ({sys.executable})"

        def failure(what: object) -> RuntimeError:
            return RuntimeError(said + f"{where}: {what}".replace("\n", " "))

        try:
            import slipway
            from slipway.errors import SlipwayError
        except ImportError:
            raise failure(f"Slipway is not installed. Install slipway-ml=={wanted['slipway-ml']} there") from None
        for name, needed in wanted.items():
            try:
                found = slipway.__version__ if name == "slipway-ml" else version(name)
            except PackageNotFoundError:
                raise failure(f"{name} is not installed. Install {name}=={needed} there") from None
            if found != needed:
                raise failure(f"has {name} {found}, and the driver {needed}. Install the same version there") from None
        module, _, name = function.partition(":")
        try:
            yield from getattr(import_module(module), name)(given, (batch.rename_columns(names) for batch in batches))
        except (SlipwayError, ImportError) as error:
            raise failure(error) from None

    return run
