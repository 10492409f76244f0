"""slipway upgrade"""

import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway import __version__
from slipway.errors import ProblemError, ProjectError
from slipway.project.roads import FOLDERS

if TYPE_CHECKING:
    from slipway.project.upgrade import Change, Plan


@click.command()
@click.option("--yes", is_flag=True, help="Write the changes without asking.")
@click.option(
    "--index/--vendor", default=None, help="Install Slipway from pip's index, or from a wheel in vendor/, from now on."
)
@click.option(
    "--road", "roads", multiple=True, type=click.Choice(FOLDERS), help="Add the files of a road or CI system; repeatable."
)
def command(yes: bool, index: bool | None, roads: tuple[str, ...]) -> None:
    """Bring the repository in this folder to the version of Slipway that runs here.

    The lock of training gets the libraries that the source in slipway.yaml needs: run this also when it becomes sql or spark.
    Shows what would change and asks first. Your edits of generated files are kept: each file is merged with what was
    generated before. Where both changed the same lines, the file gets conflict markers, and the command names it and ends with
    exit code 8. slipway.yaml, src/, data/ and artifacts/ are yours: no upgrade touches them.

    \b
    Example:
      pip install --upgrade slipway-ml
      slipway upgrade
      slipway upgrade --road fargate
    """
    from msgspec.structs import replace

    from slipway.project.distribution import origin
    from slipway.project.generated import read_generated
    from slipway.project.repository import repository
    from slipway.project.upgrade import apply, plan

    folder = Path()
    before = read_generated(folder)
    if _number(before.version) > _number(__version__):
        says = f"this repository was made by Slipway {before.version}, and this is {__version__}"
        raise ProjectError(says, "Install that version or a newer one, and run slipway upgrade again")
    vendored = before.answers.vendored if index is None else not index
    answers = replace(
        before.answers,
        vendored=vendored,
        extras=_extras(folder, before.answers.extras),
        roads=tuple(sorted({*before.answers.roads, *roads})),
    )
    made = repository(answers, origin(vendored))
    planned = plan(folder, before, made)
    for line in _shown(planned):
        click.echo(line)
    if not planned.changes:
        edited = f"; edited or removed here: {', '.join(planned.edited)}" if planned.edited else ""
        click.echo(f"Nothing to change: up to date with Slipway {__version__}{edited}.")
    elif not yes and not sys.stdin.isatty():
        asked = " ".join(("slipway upgrade --yes", *(f"--road {road}" for road in roads)))
        raise ProjectError("nothing was changed", f"To write these changes: {asked}")
    elif not yes:
        click.confirm(f"Write the changes from Slipway {before.version} to {__version__}?", abort=True)
    if planned.changes or planned.record != before:
        apply(folder, planned)
    if planned.conflicts:
        says = f"conflicts with your edits in {', '.join(planned.conflicts)}"
        raise ProjectError(says, "Resolve them between <<<<<<< and >>>>>>>, run make test, and commit")
    if planned.changes:
        click.echo("Done. Next: make test, and commit")


def _extras(folder: Path, before: tuple[str, ...]) -> tuple[str, ...]:
    """What slipway.yaml needs now; as before where it cannot be read."""
    from slipway.extras import extras_of
    from slipway.problem import FILE, load_problem

    try:
        return extras_of(load_problem(folder / FILE, {}))
    except ProblemError:
        return before


def _number(version: str) -> tuple[int, ...]:
    """Without what marks a pre-release: its final version may follow."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split("[a-z]", version)[0]))


def _shown(planned: "Plan") -> Iterator[str]:
    """The differences, then a line for each file."""
    for change in planned.changes:
        yield from change.lines and (f"{change.path}:", *(f"  {line}" for line in change.lines)) or _difference(change)
    for change in planned.changes:
        yield f"{change.path}: {change.says}"
    for says in planned.kept:
        yield f"kept: {says}"


def _difference(change: "Change") -> Iterator[str]:
    before, after = ((text or b"").decode(errors="replace").splitlines() for text in (change.before, change.after))
    yield from difflib.unified_diff(before, after, change.path, change.path, lineterm="")
