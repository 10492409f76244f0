"""slipway load"""

import sys
from pathlib import Path

import click

from slipway.cli import options
from slipway.cli.collection import named


@click.command()
@click.argument("table")
@click.argument("target")
@click.option("--id", "ids", multiple=True, metavar="COLUMN", help="Column of the id; repeat it for several.")
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
    from slipway.problem import load_problem
    from slipway.sources.loading import load
    from slipway.sources.mongodb import connect, told
    from slipway.sources.source import open_location

    to = named(target, "the target", lambda: load_problem(path).mongodb)
    batches = open_location(table, Path())
    place = f"{to.database}.{to.collection}"
    with connect(to.url, to.where) as client, told(to.where, place, "written"):
        loaded = load(batches, client[to.database][to.collection], ids, _Progress())
    rows = loaded.new + loaded.changed + loaded.same
    click.echo(f"{rows:,} rows are in {place}: {loaded.new:,} new, {loaded.changed:,} changed, {loaded.same:,} as they were.")


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
