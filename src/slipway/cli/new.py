"""slipway new"""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.errors import ProjectError
from slipway.problem import FILE
from slipway.project.roads import FOLDERS

if TYPE_CHECKING:
    from slipway.cli.init import Say
    from slipway.project.answers import Answers
    from slipway.project.own_table import OwnTable
    from slipway.project.repository import Repository

LATER = (
    "The runners of your CI do not get {source} yet: they train nothing. Commit it (git add --force {source}), or set fetch "
    "in slipway.yaml. slipway new does so with --commit-data, or with --fetch COMMAND"
)
INSIDE = (
    "{folder} is inside the git repository {top}, so it did not become one. GitHub runs workflows only at the top of a "
    "repository: to release the model, move the folder out and run git init in it"
)
WHERE = """\
Tests and retraining in CI need {source}. Where do its runners get it?
  commit   from the repository: commit it ({size:,} bytes)
  fetch    from a command that writes it, such as: aws s3 cp s3://bucket/table.csv {source}
  later    nowhere yet"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="NAME")
@click.option(
    "--table", help="What to learn from: a file, a quoted glob, s3://…, sql:…, mongodb:…; default: a generated sample."
)
@click.option("--target", help="The column to predict.")
@click.option("--commit-data", "committed", is_flag=True, help="Commit the table, so that the runners of your CI have it.")
@click.option("--fetch", metavar="COMMAND", help="The command that writes the table on a runner.")
@click.option("--heroku", is_flag=True, help="Add the files that a release to Heroku needs.")
@click.option(
    "--road", "roads", multiple=True, type=click.Choice(FOLDERS), help="Add the files of a road or CI system; repeatable."
)
@click.option("--index", is_flag=True, help="Install Slipway from pip's index, not from a wheel in vendor/.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def command(
    folder: Path,
    table: str | None,
    target: str | None,
    committed: bool,
    fetch: str | None,
    heroku: bool,
    roads: tuple[str, ...],
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
      slipway new insurance --road fargate
    """
    _require_fit(folder, table, target, committed, fetch)
    from msgspec.structs import replace

    from slipway.cli.init import problem_name
    from slipway.extras import extras_of
    from slipway.problem import read_problem
    from slipway.project.answers import Answers
    from slipway.project.creation import contents
    from slipway.project.distribution import origin
    from slipway.project.own_table import own_table
    from slipway.project.repository import repository

    slipway = origin(vendored=not index)  # it may refuse: before the table is read
    own = own_table(table, folder) if table else None
    if own and not committed and not fetch and sys.stdin.isatty():
        committed, fetch = _asked(own)
    if own and committed:
        own.require_small()
    typed = folder.resolve().name
    answers = Answers(
        name=problem_name(typed),
        data=own.source if own and committed else "",
        private=own.outside if own and not committed else "",
        vendored=not index,
        heroku=heroku,
        roads=tuple(sorted(set(roads))),
    )
    text, say = _described(folder, table, target or "", answers, own, fetch)
    extras = extras_of(read_problem(text, folder / FILE, {}))
    made = repository(replace(answers, extras=extras), slipway)
    files = contents(made, {FILE: text.encode()})
    _write(folder, made, files, own, force)
    _initialise(folder)
    if answers.package != typed.replace("-", "_"):
        click.echo(f"The problem is called {answers.name}; src/{answers.package}/ is for candidates of your own.")
    if own and not committed and not fetch:
        click.echo(LATER.format(source=own.source), err=True)
    if folder.resolve() == Path.cwd():
        say(f"Wrote {len(files)} files", "make up")
    else:
        say(f"Wrote {len(files)} files to {folder}", f"cd {shlex.quote(str(folder))} && make up")


def _require_fit(folder: Path, table: str | None, target: str | None, committed: bool, fetch: str | None) -> None:
    """UsageError when options on a table of one's own are missing, or exclude each other."""
    made = f"slipway new {shlex.quote(str(folder))}"
    if table is not None and target is None:
        example = f"{made} --table {shlex.quote(table)} --target COLUMN"
        raise click.UsageError(f"--table needs --target, the column to predict: {example}")
    if target is not None and table is None:
        example = f"{made} --table FILE.csv --target {shlex.quote(target)}"
        raise click.UsageError(f"--target needs --table, what to learn from: {example}")
    if (committed and fetch) or (table is None and (committed or fetch)):
        raise click.UsageError("--commit-data and --fetch exclude each other, and both need --table")


def _asked(own: "OwnTable") -> tuple[bool, str | None]:
    """Whether the table is committed, and the command that fetches it."""
    click.echo(WHERE.format(source=own.source, size=own.size))
    chosen = click.prompt("Choose", type=click.Choice(["commit", "fetch", "later"]), default="later")
    return chosen == "commit", click.prompt("Command") if chosen == "fetch" else None


def _described(
    folder: Path, table: str | None, target: str, answers: "Answers", own: "OwnTable | None", fetch: str | None
) -> tuple[str, "Say"]:
    """The text of slipway.yaml, and what tells what was found in the table."""
    from slipway.project.rendering import render

    if table is None:
        return render(FILE, answers), lambda wrote, then: click.echo(f"{wrote}. Next: {then}")
    from slipway.cli.init import problem_for

    moved = ({"source": own.source} if own else {}) | ({"fetch": fetch} if fetch else {})
    try:
        return problem_for(table, target, folder / FILE, name=answers.name, moved=moved)
    except ModuleNotFoundError as error:
        cure = 'Install the libraries for training as well: pip install "slipway-ml[train]"'
        raise ProjectError(f"--table needs the library {error.name}, which is not installed", cure) from error


def _write(folder: Path, made: "Repository", files: Mapping[str, bytes], own: "OwnTable | None", force: bool) -> None:
    """The table and the files, unless one of them would overwrite another."""
    from slipway.project.creation import require_free, write

    if not force:
        require_free(folder, files)
        if own:
            own.require_free()
    if own:
        own.copy()
    write(folder, made, files)


def _initialise(folder: Path) -> None:
    """Make a folder that is in no repository yet one of git; what git does not do is told."""
    from slipway.store.checkout import Checkout

    top = Checkout(folder).top()
    if top is None:
        try:
            subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=folder, check=False)
        except OSError:
            click.echo("git is not installed: install it before the first release", err=True)
    elif top.resolve() != folder.resolve():
        click.echo(INSIDE.format(folder=folder, top=top), err=True)
