"""slipway new"""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.errors import ProjectError

if TYPE_CHECKING:
    from slipway.project.answers import Answers
    from slipway.project.own_table import OwnTable

FILE = "slipway.yaml"
LATER = (
    "Decide later where GitHub's runners get {source}: commit it, or set fetch in slipway.yaml. Until then they train nothing."
)
WHERE = """\
Tests and retraining on GitHub need {source}. Where do its runners get it?
  commit   from the repository: commit it ({size:,} bytes)
  fetch    from a command that writes it, such as: aws s3 cp s3://bucket/table.csv {source}
  later    nowhere yet"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="NAME")
@click.option("--table", help="What to learn from: a file, a quoted glob, s3://… or mongodb:…; default: a generated sample.")
@click.option("--target", help="The column to predict.")
@click.option("--commit-data", "committed", is_flag=True, help="Commit the table, so that GitHub's runners have it.")
@click.option("--fetch", metavar="COMMAND", help="The command that writes the table on a runner.")
@click.option("--heroku", is_flag=True, help="Add the files that a release to Heroku needs.")
@click.option("--index", is_flag=True, help="Install Slipway from pip's index, not from a wheel in vendor/.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def command(
    folder: Path,
    table: str | None,
    target: str | None,
    committed: bool,
    fetch: str | None,
    heroku: bool,
    index: bool,
    force: bool,
) -> None:
    """Make a repository for a model: NAME is its folder, and the name of the problem.

    It holds slipway.yaml, tests, workflows and locks, and none of Slipway's code; slipway upgrade brings it to the next
    version. The table is copied into data/. Without --table a generated sample is learned from: insurance charges.

    \b
    Example:
      slipway new churn --table churn.csv --target Churn
      slipway new insurance
    """
    if (table is None) != (target is None):
        raise click.UsageError("--table and --target go together")
    if (committed and fetch) or (table is None and (committed or fetch)):
        raise click.UsageError("--commit-data and --fetch exclude each other, and both need --table")
    from slipway.cli.init import problem_name
    from slipway.project.answers import Answers
    from slipway.project.creation import contents, require_free, write
    from slipway.project.distribution import origin
    from slipway.project.own_table import own_table
    from slipway.project.repository import repository

    slipway = origin(vendored=not index)  # it may refuse: before the table is read
    own = own_table(table, folder) if table else None
    if own and not committed and not fetch:
        committed, fetch = _asked(own)
    if own and committed:
        own.require_small()
    name = problem_name(folder.resolve().name)
    answers = Answers(name=name, data=own.source if own and committed else "", vendored=not index, heroku=heroku)
    text, say = _described(folder, table, target or "", answers, own, fetch)
    made = repository(answers, slipway)
    files = contents(made, {FILE: text.encode()})
    if not force:
        require_free(folder, files)
    if own:
        if not force:
            own.require_free()
        own.copy()
    write(folder, made, files)
    _initialise(folder)
    say()
    click.echo(f"Wrote {len(files)} files to {folder}. Next: cd {shlex.quote(str(folder))} && make up")


def _asked(own: "OwnTable") -> tuple[bool, str | None]:
    """Whether the table is committed, and the command that fetches it; asked at a terminal, else told what is open."""
    if not sys.stdin.isatty():
        click.echo(LATER.format(source=own.source), err=True)
        return False, None
    click.echo(WHERE.format(source=own.source, size=own.size))
    chosen = click.prompt("Choose", type=click.Choice(["commit", "fetch", "later"]), default="later")
    return chosen == "commit", click.prompt("Command") if chosen == "fetch" else None


def _described(
    folder: Path, table: str | None, target: str, answers: "Answers", own: "OwnTable | None", fetch: str | None
) -> tuple[str, Callable[[], None]]:
    """The text of slipway.yaml, and what tells what was found in the table."""
    from slipway.project.rendering import render

    if table is None:
        return render(FILE, answers), lambda: None
    from slipway.cli.init import problem_for

    moved = ({"source": own.source} if own else {}) | ({"fetch": fetch} if fetch else {})
    try:
        return problem_for(table, target, folder / FILE, name=answers.name, moved=moved)
    except ModuleNotFoundError as error:
        cure = 'Install the libraries for training as well: pip install "slipway-ml[train]"'
        raise ProjectError(f"--table needs the library {error.name}, which is not installed", cure) from error


def _initialise(folder: Path) -> None:
    """Make a folder that is in no repository yet one of git; without git that is left to the person."""
    from slipway.store.checkout import Checkout

    if Checkout(folder).top() is None:
        try:
            subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=folder, check=False)
        except OSError:
            click.echo("git is not installed: install it before the first release", err=True)
