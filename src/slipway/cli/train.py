"""slipway train"""

import sys

import click

from slipway.cli import options
from slipway.threads import cores, pin_threads

SHOWN = 8


@click.command()
@options.problem
@click.option("--if-changed", is_flag=True, help="Do nothing when no input changed since the last training.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Worker processes; by default one per core.")
def command(path: str | None, if_changed: bool, jobs: int | None) -> None:
    """Train, compare, and pass the gate.

    Compares the candidates by cross-validation, writes the best as a bundle, and promotes it when it is better than the
    champion on rows that neither has seen. Ctrl-C ends the comparison and keeps the best so far.

    \b
    Example:
      slipway train
      slipway train --if-changed
    """
    pin_threads()
    from slipway.problem import load_problem
    from slipway.store import open_store
    from slipway.training.inputs import fingerprint, unchanged

    problem = load_problem(path)
    store = open_store(problem.store, problem.folder)
    inputs = fingerprint(problem)
    if if_changed and unchanged(store, inputs):
        click.echo("Nothing changed since the last training; the champion stays.")
        return
    click.echo(f"Reading {', '.join(problem.source)}", err=True)
    from slipway.training.train import train

    outcome = train(problem, store, inputs, jobs or cores(), _Progress())
    _show(outcome)


class _Progress:
    """A line that counts fits: redrawn on a terminal, every tenth part elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._tenth = 0

    def __call__(self, done: int, total: int, candidate: str) -> None:
        if self._terminal:
            bar = "█" * (30 * done // total)
            click.echo(f"\rComparing {bar:<30} {done}/{total} {candidate:<10}", err=True, nl=done == total)
        elif 10 * done // total > self._tenth:
            self._tenth = 10 * done // total
            click.echo(f"Comparing: {done} of {total} fits", err=True)


def _show(outcome) -> None:
    metrics = outcome.bundle.json("metrics.json")
    name = metrics["metric"]
    click.echo(f"\n{'candidate':<10} {name:>12} {'± error':>10}  settings")
    entries = metrics["leaderboard"]
    shown = entries[:SHOWN] + [entry for entry in entries[SHOWN:] if entry["candidate"] == "baseline"]
    for entry in shown:
        settings = ", ".join(f"{key} {value}" for key, value in entry["settings"].items())
        refused = f"not eligible: {entry['reason']}" if not entry["eligible"] else ""
        click.echo(f"{entry['candidate']:<10} {entry['mean']:>12.5g} {entry['error']:>10.3g}  {settings}{refused}")
    if len(entries) > len(shown):
        click.echo(f"… and {len(entries) - len(shown)} more in the report")
    click.echo(f"\nOn {metrics['holdout']['rows']} held-out rows:")
    for metric, one in metrics["holdout"]["metrics"].items():
        dummy = metrics["holdout"]["baseline"][metric]
        click.echo(f"  {metric:<18} {one['value']:.5g}  ({one['low']:.5g} to {one['high']:.5g}; baseline {dummy:.5g})")
    for note in metrics["notes"]:
        click.echo(f"Note: {note}.")
    click.echo(f"\nVerdict: {outcome.verdict.outcome}")
    for reason in outcome.verdict.reasons:
        click.echo(f"  {reason}")
    click.echo(f"Bundle:  {outcome.bundle.digest[:12]}")
    if outcome.verdict.promoted:
        click.echo("\nNext: slipway serve")
