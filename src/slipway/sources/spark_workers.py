"""Functions of Slipway on the workers of a Spark cluster.

What is sent there is small and by value: it imports Slipway where it runs, so that a worker without it, or with another
version, says so in one line. In the driver `spark_session.told` finds that line in the stacks of Python and Java around it.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from slipway import __version__

SAID = "slipway: "  # before what a worker says in one line


def on_workers(function: str, given: bytes, libraries: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """A function for ``DataFrame.mapInArrow``.

    Parameters
    ----------
    function : str
        ``package.module:name`` of a generator function of Slipway: ``name(given, batches)`` yields record batches.
    given : bytes
        What it needs. It goes with every task; Spark broadcasts what is larger than 1 MB.
    libraries : tuple of str
        Distributions whose versions must be the driver's, besides Slipway.
    """
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
            yield from getattr(import_module(module), name)(given, batches)
        except (SlipwayError, ImportError) as error:
            raise failure(error) from None

    return run
