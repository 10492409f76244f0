"""slipway load"""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

import click

from slipway.cli import options

CURE = "Name it as mongodb://HOST/DATABASE/COLLECTION, or as mongodb:COLLECTION of the server and database in slipway.yaml"

HOST = r"(\[[^]/@]+\]|[^][:/@,]+)(:\d+)?"
HOSTS = re.compile(f"{HOST}(,{HOST})*")


@click.command()
@click.argument("table")
@click.argument("target")
@click.option("--id", "ids", multiple=True, metavar="COLUMN", help="A column that names a row; may be given again.")
@options.problem
def command(table: str, target: str, ids: tuple[str, ...], path: str | None) -> None:
    """Fill a MongoDB collection from a table.

    TABLE is a CSV or Parquet file, a glob of them, or s3://bucket/key. TARGET is mongodb:COLLECTION, on the server and in the
    database that slipway.yaml names under mongodb, or mongodb://HOST/DATABASE/COLLECTION.

    A second run adds no duplicates, and finishes one that was cut off. A row is one document, named by its --id columns or,
    without --id, by all of its cells; duplicate rows are numbered. A document of the same name is replaced. All loads into
    one collection need the same --id columns.

    \b
    Example:
      slipway load data/insurance.csv mongodb://localhost:27017/shop/insurance
      slipway load orders.parquet mongodb:orders --id order
    """
    from slipway.load import load
    from slipway.sources.batches import open_location
    from slipway.sources.mongodb import connect, told

    url, where, database, collection = _target(target, path)
    batches = open_location(table, Path())
    place = f"{database}.{collection}"
    with connect(url, where) as client, told(where, place, "written"):
        loaded = load(batches, client[database][collection], ids, _Progress())
    rows = loaded.new + loaded.changed + loaded.same
    click.echo(f"{rows:,} rows are in {place}: {loaded.new:,} new, {loaded.changed:,} changed, {loaded.same:,} as they were.")


def _target(target: str, path: str | None) -> tuple[str, str, str, str]:
    """The URL of the server, what to call it, the database and the collection."""
    from slipway.errors import ProblemError
    from slipway.problem import load_problem
    from slipway.sources.mongodb import server_url

    scheme, separator, rest = target.partition("://")
    if not separator:
        collection = target.removeprefix("mongodb:")
        if collection in (target, "") or "@" in collection:  # nothing of it is shown: a URL without its start has a password
            raise ProblemError("the target: is no MongoDB collection", CURE)
        settings = load_problem(path).mongodb
        if not settings.database:
            raise ProblemError("mongodb.database is missing", "Set it in slipway.yaml; mongodb:COLLECTION needs it")
        return server_url(settings), settings.url, settings.database, collection
    if scheme not in ("mongodb", "mongodb+srv"):
        raise ProblemError(f"{scheme}: is no MongoDB collection", CURE)
    address, _, options_of_url = rest.partition("?")
    server, *names = address.split("/")
    user, _, hosts = server.rpartition("@")
    # of one that is wrong nothing is shown: a / of the password was taken for the path, or the password for a port
    if len(names) != 2 or not all(names) or "@" in "".join(names) or not HOSTS.fullmatch(hosts):
        raise ProblemError("the target: is no URL of a MongoDB collection", CURE)
    if ":" in user:
        note = "Note: a password in the command is seen by ps and kept by the shell's history. Set MONGO_DB_URL, and"
        click.echo(f"{note} name mongodb:COLLECTION.", err=True)
    database, collection = map(unquote, names)
    return f"{scheme}://{server}/{names[0]}?{options_of_url}", hosts, database, collection


class _Progress:
    """A line that counts rows: redrawn on a terminal, every tenth part elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._tenth = 0

    def __call__(self, done: int, total: int) -> None:
        if self._terminal:
            bar = "█" * (30 * done // total)
            click.echo(f"\rLoading {bar:<30} {done:,} of {total:,} rows", err=True, nl=done == total)
        elif 10 * done // total > self._tenth:
            self._tenth = 10 * done // total
            click.echo(f"Loading: {done:,} of {total:,} rows", err=True)
