"""slipway log"""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from slipway.cli import options
from slipway.errors import ProblemError
from slipway.report.numbers import counted

if TYPE_CHECKING:
    from slipway.model.pseudonyms import Pseudonyms

NOT_REACHED = """\
Not reached; delete these yourself if you must:
  bundles and artifacts/data, if a training learned from these rows; train again without them
  the tables that labels or predictions were read from or copied to
  earlier versions of objects in S3, if the bucket keeps them
  other machines that collect: their next slipway collect takes over the change if there is a remote store, else not at all"""


@click.group()
def command() -> None:
    """Delete a person's rows from the prediction log.

    \b
    Example:
      slipway log forget 4711
    """


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@options.problem
def forget(ids: Sequence[str], path: str | None) -> None:
    """Delete all rows with an ID, and their labels, from the prediction log.

    ID is a value of the id column of slipway.yaml. If there are several id columns, write COLUMN=VALUE. Ends with 1 while rows
    are left in files that the service is still writing.

    \b
    Example:
      slipway log forget 4711
      slipway log forget patient=4711 patient=4712
    """
    from slipway.model.pseudonyms import pseudonyms_of
    from slipway.monitoring.forgetting import forget as forget_rows
    from slipway.problem import load_problem

    problem = load_problem(path)
    named = _named(ids, problem.id, pseudonyms_of(problem.log, os.environ))
    tell = partial(click.echo, err=True)
    gone = forget_rows(options.log_of(problem), problem.id, named, tell, options.remote_of(problem))
    what = f"{counted(gone.rows, 'row')} and {counted(gone.labels, 'label')}"
    click.echo(f"Deleted {what}, in {counted(gone.tables, 'table')}.")
    if gone.pending:
        says = f"{counted(gone.pending, 'row')} left in files that the service is still writing"
        click.echo(f"{says}: run the same command again when it has closed them.", err=True)
    click.echo(NOT_REACHED)
    sys.exit(1 if gone.pending else 0)


def _named(ids: Sequence[str], columns: Sequence[str], pseudonyms: "Pseudonyms") -> Mapping[str, set[str]]:
    """Column → what the log has of the ids."""
    from slipway.table.row_id import id_text

    if not columns:
        raise ProblemError(
            "id is not set: no row of the log is named", "Set id in slipway.yaml to the columns that name a row"
        )
    found: dict[str, set[str]] = {}
    for given in ids:
        column, separator, value = given.partition("=")
        if not separator or column not in columns:
            if len(columns) > 1:
                cure = f"Write {columns[0]}={given}; the id columns are {', '.join(columns)}"
                raise ProblemError(f"{given}: of which column?", cure)
            column, value = columns[0], given
        text = id_text(value)
        if text is None:
            raise ProblemError(f"{given}: means a missing cell, and is no id", "Name an id")
        found.setdefault(column, set()).add(pseudonyms.of(column, text))
    return found
