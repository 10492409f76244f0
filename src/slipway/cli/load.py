"""slipway load"""

import os
from pathlib import Path

import click

from slipway.cli import options
from slipway.cli.collection import named
from slipway.cli.progress import Progress
from slipway.report.numbers import counted


@click.command()
@click.argument("table")
@click.argument("target")
@click.option("--id", "ids", multiple=True, metavar="COLUMN", help="Column of the id; repeat it for several.")
@options.problem
def command(table: str, target: str, ids: tuple[str, ...], path: str | None) -> None:
    """Fill a MongoDB collection from a table.

    TABLE is a CSV or Parquet file, a glob of them, or s3://bucket/key. TARGET is mongodb:COLLECTION, on the server and in the
    database that slipway.yaml names under mongodb, or mongodb://HOST/DATABASE/COLLECTION.

    A second run adds no duplicates, and completes an interrupted one. Each row becomes one document, identified by its --id
    columns or, without --id, by all of its cells; duplicate rows are numbered. A document with the same id is replaced. All
    loads into one collection need the same --id columns.

    \b
    Example:
      slipway load data/insurance.csv mongodb://localhost:27017/shop/insurance
      slipway load orders.parquet mongodb:orders --id order
    """
    from slipway.problem import FILE, load_problem
    from slipway.sources.loading import load
    from slipway.sources.mongodb import connect, told
    from slipway.sources.source import open_location

    to = named(target, "the target", lambda: load_problem(path).mongodb)
    named_here = path or os.environ.get("SLIPWAY_PROBLEM") or Path(FILE).exists()
    problem = load_problem(path) if named_here else None
    batches = open_location(table, Path())
    batches.require_format(problem.formats if problem else ())
    place = f"{to.database}.{to.collection}"
    with connect(to.url, to.where) as client, told(to.where, place, "written"), Progress() as progress:
        loaded = load(
            batches,
            client[to.database][to.collection],
            ids,
            problem,
            lambda done, total: progress.advance(
                "Loading",
                done,
                done / total,
                f"{done:,} of {total:,} rows",
            ),
        )
    rows = counted(loaded.new + loaded.changed + loaded.same, "row")
    says = f"{loaded.new:,} new, {loaded.changed:,} changed, {loaded.same:,} as they were"
    click.echo(f"{rows} loaded into {place}: {says}.")
