"""slipway due"""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import options
from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from slipway.monitoring.schedule import Turn
    from slipway.monitoring.watched import Watched
    from slipway.problem import Problem

STARTED, OUTPUT, SUMMARY = "GITHUB_EVENT_NAME", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"


@click.command()
@options.problem
def command(path: str | None) -> None:
    """Say whether the next model is due, for a workflow that runs every day.

    Looks at production like slipway watch, and follows its decision. While no answered row is logged, or no label has come for
    30 days, the next model is due 7 days after the last training; when the workflow was started by hand, it always is.

    On GitHub, the outputs of the step are train (true or false) and reason, and after a look also outcome and page; the look
    is in the summary of the job. Whatever it finds, the exit code is 0.

    \b
    Example:
      slipway due
    """
    from slipway.monitoring.schedule import tells, turn
    from slipway.problem import load_problem

    problem, now = load_problem(path), datetime.now(UTC).replace(tzinfo=None)
    started = os.environ.get(STARTED, "")
    found = _looked(problem, now, started)
    log = options.log_of(problem)
    labelled = found is not None and tells(log, found)
    today = turn(started, now.date(), found.decision if found else None, labelled, _tried(problem, now, started, found))
    click.echo(f"{'Train' if today.train else 'Do not train'}: {today.reason}")
    _add(OUTPUT, _outputs(today, found, log.root))
    _add(SUMMARY, _summary(today, found))


def _looked(problem: "Problem", now: datetime, started: str) -> "Watched | None":
    """A look at production; None where nothing is logged, or nothing is served yet."""
    from slipway.cli.watch import looked
    from slipway.monitoring.schedule import BY_HAND
    from slipway.store.local import open_store

    there = problem.remote is not None or options.log_of(problem).root.is_dir()
    if problem.log.to == "none" or not there or open_store(problem.folder).pointer() is None:
        return None
    try:
        return looked(problem, now)
    except SlipwayError as error:
        if started != BY_HAND:
            raise
        click.echo(f"Nobody looked at production: {error}", err=True)  # who wants a training gets one
        return None


def _tried(problem: "Problem", now: datetime, started: str, found: "Watched | None") -> date | None:
    """When the last training was, on whatever machine; of no interest to who wants one."""
    from slipway.monitoring.memory import journal_of
    from slipway.monitoring.schedule import BY_HAND
    from slipway.monitoring.watched import last_training
    from slipway.store.local import open_store

    if found or started == BY_HAND:
        return found.tried if found else None
    store = open_store(problem.folder)
    pointer = store.pointer()
    return last_training(store.verdict(pointer) if pointer else {}, journal_of(store, options.remote_of(problem)), now.date())


def _outputs(today: "Turn", found: "Watched | None", log: Path) -> list[str]:
    from slipway.model.last_look import PAGE

    told = [f"train={str(today.train).lower()}", f"reason={' '.join(today.reason.split())}"]  # of names with line breaks, too
    return told + ([f"outcome={found.decision.outcome}", f"page={log / PAGE}"] if found else [])


def _summary(today: "Turn", found: "Watched | None") -> list[str]:
    from slipway.monitoring.publication import noted
    from slipway.monitoring.reasons import told
    from slipway.report.markdown import plain

    look = told(noted(found)) if found else ["Nobody looked at production: nothing is logged, or nothing is served yet."]
    return ["### Production", "", *look, "", f"**{'Training' if today.train else 'No training'}.** {plain(today.reason)}", ""]


def _add(variable: str, lines: Iterable[str]) -> None:
    """Add lines to the file that a variable names; where it names none, nobody wants them."""
    from slipway.store.atomic import unwritable

    if not (name := os.environ.get(variable)):
        return
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise unwritable(Path(name), error) from error
