"""slipway diff"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import options
from slipway.errors import BundleError, SlipwayError

if TYPE_CHECKING:
    from slipway.model.bundle import Bundle
    from slipway.problem import Problem
    from slipway.store.checkout import Checkout
    from slipway.store.local import LocalStore
    from slipway.store.pointer import Pointer

WHY = "SLIPWAY_WHY"
DAYS = 7  # that are replayed


@click.command()
@click.argument("base")
@options.problem
def command(base: str, path: str | None) -> None:
    """Show in Markdown how the model of this checkout differs from that of the commit BASE.

    The verdict, why there was a training, what production said of the model before, what changes in data, model, metrics and
    golden predictions, and where it loses. If the bundle is here, its golden rows are answered again by this checkout's code;
    if a collected log is here, too, the last seven days are replayed.

    \b
    Example:
      slipway diff origin/main
    """
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
    same = old is not None and old.digest == new.digest
    if same:
        click.echo(f"The same bundle as in `{base}`: {new.digest[:12]}.\n")
    else:
        for line in _succession(store, old, new):
            click.echo(line)
    bundle = _here(store, new)
    if bundle is None:
        click.echo("The bundle is not in this checkout, so this code did not answer its golden rows; the box will.")
        return
    for line in _answered(problem, store, None if same else old, bundle):
        click.echo(line)


def _succession(store: "LocalStore", old: "Pointer | None", new: "Pointer") -> Iterator[str]:
    """What verdict.json and the journal say of a new model, and what changes with it."""
    from slipway.report import successor

    verdict = store.verdict(new)
    against = _against(verdict)
    judged = not verdict or against == (old.digest if old else None)
    yield f"**{successor.sentence(verdict) if judged else 'The verdict on this model comes from an earlier change.'}**"
    yield f"\n{old.digest[:12] if old else 'none'} → **{new.digest[:12]}**\n"
    if not judged:
        yield f"Why it became the champion {f'after {against[:12]}' if against else 'when there was none'}:\n"
    yield from successor.reasons(verdict)
    yield ""
    yield from _production(store, old)
    found = _changes(store, old, new, verdict)
    if found is None:
        yield "What changes is unknown: the two bundles are not both here. Run slipway pull.\n"
        return
    before, told = store.verdict(old) if old else {}, {**verdict, "changes": found}
    yield from _section("Data", successor.data(before, told))
    yield from _section("Model", successor.model(before, told))
    yield from _section("How good it is", successor.metrics(found))
    yield from _section("Where it loses", successor.losers(verdict) if judged else [])
    yield from [*successor.golden(found["golden"]), ""]


def _production(store: "LocalStore", old: "Pointer | None") -> Iterator[str]:
    """Why there was a training, and what production said of the model before."""
    from slipway.monitoring.reasons import last_look, told, why_now

    look = last_look(store.journal.entries(), old.digest, datetime.now(UTC)) if old else None
    yield from _section("Why now", why_now(look, os.environ.get(WHY, "")))
    yield from _section("Production", told(look) if look else [])


def _answered(problem: "Problem", store: "LocalStore", old: "Pointer | None", bundle: "Bundle") -> Iterator[str]:
    """What the code of this checkout answers with the bundle."""
    from slipway.model.changes import replayed
    from slipway.report.successor import recorded

    if old is not None:
        yield from _section(f"On the last {DAYS} days of production", _replay(problem, store, old, bundle))
    yield from recorded(replayed(bundle))


def _replay(problem: "Problem", store: "LocalStore", old: "Pointer", bundle: "Bundle") -> list[str]:
    """What both would have answered to what production was asked; nothing where no log is collected."""
    from slipway.monitoring.partitions import ROWS

    log = options.log_of(problem)
    if not log.parts(ROWS):
        return []
    from slipway.monitoring.replay import replay
    from slipway.report.markdown import plain

    try:
        now = datetime.now(UTC).replace(tzinfo=None)
        found = replay(problem, store, log, bundle, DAYS, now, champion=store.bundle(old.digest))
    except SlipwayError as error:
        return [f"They could not be replayed: {plain(str(error))}"]
    return found.markdown if found else []


def _section(title: str, lines: list[str]) -> list[str]:
    """Lines under a heading; nothing of nothing."""
    return [f"#### {title}", "", *lines, ""] if lines else []


def _against(verdict: Mapping[str, Any]) -> str | None:
    """Digest of the champion before the one that a verdict made; None if there was none."""
    found: str | None = verdict.get("champion") or (verdict.get("changes") or {}).get("against")
    return found


def _changes(store: "LocalStore", old: "Pointer | None", new: "Pointer", verdict: Mapping[str, Any]) -> dict[str, Any] | None:
    """The changes from one to the other: as the verdict tells them, else from both bundles; None without them."""
    told = verdict.get("changes") or {}
    if told and told.get("against") == (old.digest if old else None):
        return dict(told)
    before, after = _here(store, old) if old else None, _here(store, new)
    if after is None or (old and before is None):
        return None
    from slipway.model.changes import changes

    return {"sources": told.get("sources")} | changes(before, after)


def _here(store: "LocalStore", pointer: "Pointer") -> "Bundle | None":
    """The bundle, if it is in this checkout and intact."""
    try:
        return store.bundle(pointer.digest)
    except BundleError:
        return None


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
