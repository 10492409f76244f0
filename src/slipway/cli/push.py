"""slipway push"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import options, tracking
from slipway.cli.progress import Progress

if TYPE_CHECKING:
    from slipway.problem import Problem
    from slipway.store.local import LocalStore


@click.command()
@click.option(
    "--release",
    "release",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also record the release described in this JSON file in the remote journal.",
)
@options.problem
def command(release: Path | None, path: str | None) -> None:
    """Copy the champion's bundle, and new entries of the journal, to the remote store.

    Files that are already there are skipped, so the next push completes an interrupted one. Without a champion, only the
    journal is copied. Where MLFLOW_TRACKING_URI names a server, the trainings that it lacks are logged there, too.

    \b
    Example:
      slipway push
    """
    from slipway.problem import load_problem
    from slipway.store.local import open_store

    problem = load_problem(path)
    store = open_store(problem.folder)
    entries = store.journal.entries()
    if problem.remote or release or not tracking.is_asked():
        entries = _push(problem, store, entries, release)
    if tracking.is_asked():
        tracking.catch_up(problem, store, entries)


def _push(
    problem: "Problem", store: "LocalStore", entries: list[dict[str, Any]], release: Path | None
) -> list[dict[str, Any]]:
    """Copy to the remote store, with the entries of the journal here; the entries of both journals."""
    from slipway.errors import StoreError
    from slipway.store.remote import open_remote
    from slipway.store.transfer import add_entries, known_entries, push, released

    remote = open_remote(problem)
    judged = any(entry.get("event") == "verdict" for entry in entries)
    if judged and not release and store.pointer() is None:  # the gate kept all: the next training must know of these looks
        click.echo(f"No champion yet; {add_entries(remote, entries)} new in the journal of {remote}.")
        return entries
    bundle = store.champion()
    if release:
        try:
            content = release.read_bytes()
        except OSError as error:
            raise StoreError(f"{release}: cannot be read ({error.strerror})") from error
        entries.append(released(bundle, content, str(release)))
    with Progress() as progress:
        push(store, remote, bundle.digest, progress.file)
    added = add_entries(remote, entries)
    click.echo(f"{bundle.digest[:12]} is in {remote}; {added} new in its journal.")
    return known_entries(store, remote) if tracking.is_asked() else entries
