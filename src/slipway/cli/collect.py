"""slipway collect"""

from datetime import UTC, datetime
from functools import partial

import click

from slipway.cli import options
from slipway.report.numbers import counted


@click.command()
@options.problem
def command(path: str | None) -> None:
    """Turn the prediction log's raw files into Parquet tables, and delete days that are no longer kept.

    With a remote store, it also takes the raw files there, uploads their tables, and downloads those of other machines. It can
    be interrupted and run again at any time, also by several machines at once: no row is lost or doubled.

    \b
    Example:
      slipway collect
    """
    from slipway.monitoring.collector import collect
    from slipway.problem import load_problem

    problem = load_problem(path)
    log, now = options.log_of(problem), datetime.now(UTC).replace(tzinfo=None)
    done = collect(log, problem.id, problem.log.keep_days, now, partial(click.echo, err=True), options.remote_of(problem))
    refused = counted(done.counted, "count")
    click.echo(
        f"{counted(done.files, 'raw file')} collected: {counted(done.rows, 'row')}, {refused} of refusals and warnings."
    )
    for number, noun, says in (
        (done.torn, "incomplete line", "skipped, as a crash or a full disk leaves them"),
        (done.held, "raw file", "left, still being written by the service"),
        (done.left, "raw file", "left: this version cannot read it"),
        (done.removed, "file", f"older than {problem.log.keep_days} days deleted"),
    ):
        if number:
            click.echo(f"{counted(number, noun)} {says}.")
