"""slipway replay"""

from datetime import UTC, datetime
from functools import partial

import click

from slipway.cli import options
from slipway.report.numbers import last


@click.command()
@click.argument("digest")
@click.option(
    "--days",
    type=click.IntRange(1, 90),
    default=7,
    show_default=True,
    help="How many of the last whole days (UTC); today so far comes on top.",
)
@options.problem
def command(digest: str, days: int, path: str | None) -> None:
    """Answer what production was asked again, with the champion and with the bundle DIGEST (six digits or more).

    Collects the log, and shows in Markdown which answers would change, where these are most, and on rows with a label which of
    the two is better. The champion is compared with the one before. No value of a row is shown.

    \b
    Example:
      slipway replay 4fd1a2c07b9e
      slipway replay 4fd1a2c07b9e --days 28
    """
    from slipway.errors import TableError
    from slipway.monitoring.collector import collect
    from slipway.monitoring.replay import replay
    from slipway.problem import load_problem
    from slipway.store.local import open_store

    problem = load_problem(path)
    store = open_store(problem.folder)
    challenger = store.chosen(problem.name, digest)
    log, now = options.log_of(problem), datetime.now(UTC).replace(tzinfo=None)
    collect(log, problem.id, problem.log.keep_days, now, partial(click.echo, err=True), options.remote_of(problem))
    found = replay(problem, store, log, challenger, days, now)
    if found is None:
        click.echo(f"Nothing was logged in {last(days, 'day')}.")
    elif found.obstacle:
        raise TableError(found.sentences[0].removesuffix("."))
    else:
        click.echo("\n".join(found.markdown))
