"""slipway train"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from slipway.cli import options
from slipway.cli.progress import FEW, Progress
from slipway.cli.tracking import log_training
from slipway.threads import cores, pin_threads

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pyarrow

    from slipway.problem import Problem
    from slipway.store.local import LocalStore
    from slipway.training.comparison.search import Step
    from slipway.training.outcome import Outcome

SHOWN = 8


@click.command()
@options.problem
@click.option("--if-changed", is_flag=True, help="Do nothing if no input has changed since the last training.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Number of worker processes; default: one per core.")
@click.option("--data", metavar="FINGERPRINT", help="Repeat a training with this table (first digits of its fingerprint).")
def command(path: str | None, if_changed: bool, jobs: int | None, data: str | None) -> None:
    """Train, compare, and pass the gate.

    Compares the candidates by cross-validation, writes the best as a bundle, and promotes it if it is better than the
    champion on rows that neither has seen. Ctrl-C ends the comparison and keeps the best so far, as soon as some settings
    have been tried on all folds; before that nothing is kept. The table is kept in the store, so that --data can repeat a
    training after its source has changed.

    \b
    Example:
      slipway train
      slipway train --if-changed
      slipway train --data 3f2a9c81
    """
    if if_changed and data:
        raise click.UsageError("--if-changed and --data exclude each other: --data does not read the source")
    pin_threads()
    from slipway.problem import load_problem
    from slipway.sources.fetch import fetch
    from slipway.sources.source import sources_of
    from slipway.store.local import open_store
    from slipway.training.inputs import fingerprint, reason

    problem = load_problem(path)
    store = open_store(problem.folder)
    if not data:
        fetch(problem, partial(click.echo, err=True))
    inputs = None if data else fingerprint(problem)
    if if_changed:
        sources = ", ".join(problem.source)
        why = f"{sources} cannot tell whether it has changed" if inputs is None else reason(store, inputs)
        if not why:
            click.echo("Nothing changed since the last training; the champion stays.")
            return
        click.echo(f"Training: {why}.", err=True)
    if not data and inputs is None:  # nothing has been asked of the source: it may be away, and the next imports take seconds
        for source in sources_of(problem):
            source.ping()
    from slipway.store.snapshots import KeptData
    from slipway.training.fitting.forks import warm_up

    if (jobs := jobs or cores()) > 1:
        warm_up()
    from slipway.training.train import train

    named = KeptData(store.root / "data").find(data) if data else None
    click.echo(f"Reading {f'data {named[:12]}' if named else ', '.join(problem.source)}", err=True)
    with Progress() as progress:
        told = Comparing(progress), partial(_read, progress)
        outcome = train(problem, store, inputs, jobs, *told, named, cohort=_production(problem))
    show(outcome, problem, store)
    log_training(problem, store, outcome.bundle.digest)


def _production(problem: "Problem") -> "dict[date, pyarrow.Table] | None":
    """What the gate compares the models by besides the table; None when nothing has been logged and collected."""
    from slipway.monitoring.newest import newest_days
    from slipway.monitoring.partitions import ROWS

    log = options.log_of(problem)
    return newest_days(problem, log, datetime.now(UTC).date()) if log.parts(ROWS) else None


def _read(progress: Progress, done: int, total: int | None) -> None:
    if done >= FEW:
        of = f" of about {total:,}" if total else ""
        progress.advance("Reading", done, min(done / total, 1) if total else None, f"{done:,}{of} rows")


class Comparing:
    """The search on the screen: what is tried, what was ahead after the round before, and about how long it will take."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress, self._clock = progress, clock
        self._begun: float | None = None

    def __call__(self, step: "Step") -> None:
        if self._begun is None:
            self._begun = self._clock()
        share = step.done / step.total
        left = (self._clock() - self._begun) * (1 - share) / share
        says = f"round {step.round} of {step.rounds}: {step.trials} settings on {step.folds} folds"
        if step.best and step.best.trial:
            says += f"; ahead after round {step.round - 1}: {step.best.trial.candidate}"
        self._progress.advance("Comparing", 0, share, f"{says}; about {left:.0f} s left" if left else says)


def _report(outcome: "Outcome", problem: "Problem", store: "LocalStore") -> "Path":
    """Write the report beside the pointer: with the verdict, which the report in the bundle cannot know."""
    from slipway.report.documents import documents_of, joined
    from slipway.report.page import standalone
    from slipway.store.atomic import replace, unwritable

    verdict = outcome.verdict.to_json() | {"against": outcome.champion}
    of = joined(documents_of(outcome.bundle, problem.name, problem.purpose), outcome.bundle.digest, verdict)
    path = store.root / "report.html"
    try:
        replace(path, standalone(of))
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def show(outcome: "Outcome", problem: "Problem", store: "LocalStore") -> None:
    """What a training ended with, on the screen and in the report."""
    from slipway.model.contents import metrics_of, model_of
    from slipway.report.numbers import aligned, number, settings

    metrics = metrics_of(outcome.bundle)
    click.echo(f"\n{'candidate':<10} {metrics.metric:>12} {'± error':>10}  settings")
    entries = metrics.leaderboard
    shown = [entry for entry in entries if entry.eligible or entry.candidate == "baseline"][:SHOWN]
    means = aligned([value for entry in shown for value in (entry.mean, entry.error)])
    for entry, mean, error in zip(shown, means[::2], means[1::2]):
        refused = f"not eligible: {entry.reason}" if not entry.eligible else ""
        click.echo(f"{entry.candidate:<10} {mean:>12} {error:>10}  {settings(entry.settings)}{refused}")
    if len(entries) > len(shown):
        click.echo(f"… and {len(entries) - len(shown)} more in the report")
    click.echo(f"\nOn {metrics.holdout.rows} held-out rows:")
    for metric, one in metrics.holdout.metrics.items():
        dummy = metrics.holdout.baseline[metric]
        value, low, high = aligned([one.value, one.low, one.high])
        click.echo(f"  {metric:<18} {value}  ({low} to {high}; baseline {number(dummy)})")
    limit = problem.serving.max_row_microseconds
    estimated = f", {outcome.estimated_us:.0f} µs estimated (limit {limit:g})" if outcome.estimated_us else ""
    click.echo(f"  {'one row':<18} {outcome.latency_us:.0f} µs measured{estimated}")
    for note in metrics.notes:
        click.echo(f"Note: {note}.")
    click.echo(f"\nVerdict: {outcome.verdict.outcome}")
    for reason in outcome.verdict.reasons:
        click.echo(f"  {reason}")
    click.echo(f"Bundle:  {outcome.bundle.digest[:12]}")
    click.echo(f"Data:    {model_of(outcome.bundle).data[:12]}")
    click.echo(f"Report:  {_report(outcome, problem, store)}")  # last: a full disk hides nothing else
    if outcome.verdict.promoted:
        click.echo("\nNext: slipway serve")
    elif outcome.champion is None:
        click.echo(f"\nNext: improve it, or serve it anyway: slipway promote {outcome.bundle.digest[:12]}")
    else:
        click.echo(f"\nThe champion stays {outcome.champion[:12]}: this training adds nothing to commit.")
