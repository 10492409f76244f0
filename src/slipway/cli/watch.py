"""slipway watch"""

import os
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from slipway.cli import options
from slipway.report.numbers import counted

if TYPE_CHECKING:
    from pathlib import Path

    from slipway.monitoring.watched import Watched
    from slipway.problem import Problem

CODES = {"quiet": 0, "drift": 10, "worse": 11, "broken": 12}


@click.command()
@options.problem
def command(path: str | None) -> None:
    """Look at what production was asked and answered: what moved, whether the model is worse, what to do.

    Collects the log, compares its whole days with the champion's training, and writes log/live.html, log/live.json and a line
    of the journal. The exit code says what was found: 0 nothing, or only a suspicion, 10 columns moved, 11 the
    loss is above its limit, 12 what feeds the model is broken. SLIPWAY_WEBHOOK and SLIPWAY_SMTP_URL are told when that
    changes.

    \b
    Example:
      slipway watch
    """
    from slipway.problem import load_problem

    problem = load_problem(path)
    sys.exit(CODES[looked(problem, datetime.now(UTC).replace(tzinfo=None)).decision.outcome])


def looked(problem: "Problem", now: datetime) -> "Watched":
    """Look, show what was found, tell of a change, and keep the look for the next one: with a remote store, on any machine."""
    from slipway.model.last_look import PAGE
    from slipway.monitoring.alerts import Note, tell
    from slipway.monitoring.channels import channels
    from slipway.monitoring.collector import collect
    from slipway.monitoring.memory import exchange_state, journal_of, push_looks
    from slipway.monitoring.message import message
    from slipway.monitoring.publication import publish
    from slipway.monitoring.watched import watch
    from slipway.store.local import open_store

    ways = channels(os.environ)  # a setting that is wrong ends this before anything is done
    log, remote = options.log_of(problem), options.remote_of(problem)
    collect(log, problem.id, problem.log.keep_days, now, partial(click.echo, err=True), remote)
    store = open_store(problem.folder)
    digest, journal = store.require_pointer().digest, journal_of(store, remote)
    if remote:
        exchange_state(log, digest, remote)
    found = watch(problem, store, log, now, journal)
    publish(found, store, log, journal, remote)
    if remote:
        exchange_state(log, digest, remote)
        push_looks(store, remote)
    _show(found, log.root / PAGE)
    page = remote.where(log.address(log.root / PAGE)) if remote else log.root / PAGE
    if found.rows or found.decision.outcome != "quiet":  # a champion that was asked nothing yet is no all-clear
        for failure in tell(message(found, str(page)), ways, Note(log, remote)):
            click.echo(f"slipway: {failure}", err=True)
    return found


def _show(found: "Watched", page: "Path") -> None:
    click.echo(f"{found.decision.outcome}: {' '.join(found.decision.reasons)}")
    for sentence in found.sentences:
        click.echo(f"  {sentence}")
    if found.decision.train:
        click.echo("  Train the next model: slipway train")
    click.echo(f"  {counted(found.rows, 'row')} of {counted(len(found.days), 'day')}; {page}")
