"""slipway labels"""

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import options
from slipway.cli.collection import is_collection, named
from slipway.errors import TableError
from slipway.report.numbers import counted

if TYPE_CHECKING:
    from slipway.problem import Problem
    from slipway.sources.batches import Batches

SHOWN = 20


@click.command()
@click.argument("location", metavar="IN")
@options.problem
def command(location: str, path: str | None) -> None:
    """Add what really happened to the prediction log.

    IN is a CSV or Parquet file, a glob of them, s3://bucket/key or a MongoDB collection, with these columns:

    \b
      the id columns of slipway.yaml, or request_id and row   which prediction: the X-Request-ID of the
                                                              call, and the row's number in it (from 0)
      the target, or label                                    what happened
      seen_at                                                 optional: when that was known; default: now
      acted                                                   optional: whether the answer was acted on

    A label by id is of one prediction: the last with that id before the label was seen. The same table twice adds nothing; of
    several labels, the one seen last counts, and the others are kept. A label may be added before its prediction is collected.
    Collects the log, too.

    \b
    Example:
      slipway labels outcomes.csv
      slipway labels 's3://lake/outcomes/*.parquet'
      slipway labels mongodb:outcomes
    """
    from slipway.model.contents import model_of
    from slipway.model.pseudonyms import pseudonyms_of
    from slipway.monitoring.collector import collect
    from slipway.monitoring.known_labels import add, standing
    from slipway.monitoring.outcomes import read_outcomes
    from slipway.problem import load_problem
    from slipway.store.local import open_store

    problem = load_problem(path)
    log, now = options.log_of(problem), datetime.now(UTC).replace(tzinfo=None)
    classes = model_of(open_store(problem.folder).champion()).classes
    batches, where = _opened(problem, location)
    outcomes = read_outcomes(batches, where, problem, classes, now, pseudonyms_of(problem.log, os.environ).of)
    for fault in outcomes.faults[:SHOWN]:
        click.echo(f"{where}, {fault}", err=True)
    if more := outcomes.faults[SHOWN:]:
        click.echo(f"{where}: {len(more):,} more such rows", err=True)
    if outcomes.read and len(outcomes.faults) == outcomes.read:
        raise TableError(f"{where}: no row has a label that can be taken", "See above what is wrong with them")
    remote = options.remote_of(problem)
    added = add(log, outcomes, now, where, remote)
    says = f"{added.new:,} new, {added.duplicate:,} duplicate, {added.corrected:,} corrected"
    click.echo(f"{counted(outcomes.read, 'row')} read: {says}, {len(outcomes.faults):,} not taken.")
    done = collect(log, problem.id, problem.log.keep_days, now, partial(click.echo, err=True), remote)
    stand = standing(log, problem.id, now)
    says = f"{stand.matched:,} with a prediction, {stand.waiting:,} waiting for one, {stand.orphan:,} without one for 90 days"
    click.echo(f"All labels in the log: {says}.")
    if done.held:
        left = f"{counted(done.held, 'raw file')} left, still being written by the service"
        click.echo(f"{left}: labels of predictions in there wait, for an hour at most.")


def _opened(problem: "Problem", location: str) -> "tuple[Batches, str]":
    """The table, and what messages call it."""
    from slipway.monitoring.outcomes import columns_of

    if not is_collection(location):
        from slipway.sources.source import open_location

        batches = open_location(location, Path(), columns_of(problem))
        batches.require_format(problem.formats)
        return batches, location
    from slipway.sections import Collection
    from slipway.sources.mongodb import open_collection

    to = named(location, "IN", lambda: problem.mongodb)
    settings = Collection(url=to.where, database=to.database, collection=to.collection)
    return open_collection(settings, columns_of(problem), server=to.url), f"{to.database}.{to.collection}"
