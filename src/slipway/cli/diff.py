"""slipway diff"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import options

if TYPE_CHECKING:
    from slipway.store.checkout import Checkout
    from slipway.store.pointer import Pointer


@click.command()
@click.argument("base")
@options.problem
def command(base: str, path: str | None) -> None:
    """Show in Markdown how the model of this checkout differs from that of the commit BASE.

    Metrics and golden predictions, before and after; if the bundle is here, its golden rows are answered again by this
    checkout's code.

    \b
    Example:
      slipway diff origin/main
    """
    from slipway.errors import BundleError
    from slipway.model.changes import as_markdown, golden_lines, replayed
    from slipway.problem import load_problem
    from slipway.store.local import open_store
    from slipway.store.pointer import FILE

    problem = load_problem(path)
    store = open_store(problem.folder)
    old, new = _pointer_of(base, store.root / FILE), store.pointer()
    click.echo(f"### Model of {problem.name}\n")
    if new is None:
        click.echo("No champion.")
        return
    if old is not None and old.digest == new.digest:
        click.echo(f"The same bundle as in `{base}`: {new.digest[:12]}.\n")
    else:
        click.echo(f"{old.digest[:12] if old else 'none'} → **{new.digest[:12]}**\n")
        verdict = store.verdict(new)
        for line in [f"- {reason}" for reason in verdict.get("reasons", [])] + [""] + as_markdown(_told(old, verdict)):
            click.echo(line)
        click.echo()
    try:
        bundle = store.bundle(new.digest)
    except BundleError:
        click.echo("The bundle is not in this checkout, so this code did not answer its golden rows; the box will.")
        return
    click.echo("\n".join(["With the code of this checkout:", "", *golden_lines(replayed(bundle))]))


def _told(old: "Pointer | None", verdict: Mapping[str, Any]) -> dict[str, Any] | None:
    """The changes that a verdict tells, when they are against the same champion."""
    found = verdict.get("changes")
    against = old.digest if old else None
    return found if isinstance(found, dict) and found.get("against") == against else None


def _pointer_of(commit: str, path: Path) -> "Pointer | None":
    """The pointer in a commit; None when it has none."""
    from slipway.errors import ProblemError
    from slipway.store.checkout import Checkout
    from slipway.store.pointer import Pointer

    folder = path.parent if path.parent.is_dir() else path.parent.parent
    checkout = Checkout(folder)
    if checkout.git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") is None:
        raise ProblemError(f"{commit}: no such commit in this repository", _cure(checkout))
    shown = subprocess.run(["git", "-C", folder, "show", f"{commit}:./{path.relative_to(folder)}"], capture_output=True)
    return None if shown.returncode else Pointer.from_bytes(shown.stdout, f"{commit}:{path.name}")


def _cure(checkout: "Checkout") -> str:
    """What to do when a commit is not there."""
    if checkout.git("remote"):
        return "Run git fetch first"
    if checkout.git("rev-parse", "--verify", "--quiet", "HEAD") is None:
        return "Make the first commit, and compare with it: slipway diff HEAD, or make diff BASE=HEAD"
    return "There is no remote: name a commit of your own, as in slipway diff HEAD, or make diff BASE=HEAD"
