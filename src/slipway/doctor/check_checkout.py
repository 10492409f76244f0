"""The checkout: is there a commit to release, and can a release find its bundle?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.doctor.finding import FAILED, MISSING, OK, Finding
from slipway.errors import BundleError, SlipwayError, StoreError
from slipway.store.checkout import Checkout
from slipway.store.local import LocalStore
from slipway.store.pointer import FILE, Pointer

WORKFLOWS = Path(".github/workflows")
MAIN = "main.yaml"
CALLED = re.compile(r"^\s+uses: \./\.github/workflows/(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """What git and the disk say.

    Parameters
    ----------
    top : Path or None
        Top of the repository.
    workflows : mapping
        Name of the file → text.
    champion : str or None
        Digest in the pointer of this folder; `unreadable` says why when it cannot be read.
    committed : str or None
        Digest in the pointer of the last commit.
    in_git : bool
        Whether the last commit holds the champion's bundle.
    here : bool
        Whether its bundle is on this disk, and sound; `damage` says what is wrong with it.
    """

    top: Path | None
    workflows: Mapping[str, str] = field(default_factory=dict)
    champion: str | None = None
    unreadable: str = ""
    committed: str | None = None
    in_git: bool = False
    here: bool = False
    damage: str = ""


def gather(folder: Path, store: LocalStore | None) -> Facts:
    """Look at the repository around `folder`; without a store (no readable slipway.yaml) at the workflows alone."""
    top = Checkout(folder).top()
    found = sorted((top or folder).joinpath(WORKFLOWS).glob("*.y*ml"))
    workflows = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in found}
    if store is None:
        return Facts(top, workflows)
    try:
        pointer = store.pointer()
    except StoreError as error:
        return Facts(top, workflows, unreadable=str(error))
    if pointer is None:
        return Facts(top, workflows)
    checkout = Checkout(store.root)
    damage = _damage(store, pointer.digest)
    return Facts(
        top,
        workflows,
        pointer.digest,
        committed=_committed(checkout),
        in_git=checkout.git("cat-file", "-e", f"HEAD:./bundles/{pointer.digest}/manifest.json") is not None,
        here=damage is None,
        damage=damage or "",
    )


def _committed(checkout: Checkout) -> str | None:
    content = checkout.git("show", f"HEAD:./{FILE}")
    try:
        return Pointer.from_bytes(content.encode(), FILE).digest if content else None
    except StoreError:
        return None


def _damage(store: LocalStore, digest: str) -> str | None:
    """What is wrong with a bundle; empty when it is not there, None when it is sound."""
    try:
        store.bundle(digest)
    except BundleError as error:
        return str(error) if digest in store.digests() else ""
    return None


def check(facts: Facts, problem: SlipwayError | None, in_remote: bool) -> list[Finding]:
    """Judge the facts.

    Parameters
    ----------
    problem : SlipwayError or None
        Why slipway.yaml cannot be read.
    in_remote : bool
        Whether the champion's bundle was seen in the remote store.
    """
    return [
        Finding("repository", OK, f"{facts.top}")
        if facts.top
        else Finding(
            "repository",
            MISSING,
            "this folder is not in a git repository",
            "Run git init, add artifacts/*, !artifacts/champion.json and !artifacts/verdict.json to .gitignore, then commit",
        ),
        Finding("problem", FAILED, problem.cause, problem.cure, now=True)
        if problem
        else Finding("problem", OK, "slipway.yaml is valid"),
        workflow(facts.workflows),
        champion(facts),
        bundle(facts, in_remote),
    ]


def workflow(workflows: Mapping[str, str]) -> Finding:
    """Whether main.yaml is there, and every workflow of this repository that it calls."""
    called = CALLED.findall(workflows.get(MAIN, ""))
    missing = [name for name in (MAIN, *called) if name not in workflows]
    if missing:
        return Finding("workflow", MISSING, f"{WORKFLOWS / missing[0]} is missing", "Without it, a push releases nothing")
    return Finding("workflow", OK, f"{WORKFLOWS / MAIN} exists")


def champion(facts: Facts) -> Finding:
    """Whether the last commit names the champion of this folder."""
    if facts.unreadable:
        return Finding("champion", FAILED, facts.unreadable, now=True)
    if facts.champion is None:
        return Finding("champion", MISSING, "no champion yet", "slipway train", now=True)
    if facts.champion != facts.committed:
        before = f"names {facts.committed[:12]}" if facts.committed else "names none"
        return Finding(
            "champion",
            MISSING,
            f"{facts.champion[:12]} is not committed: the last commit {before}",
            f"Commit {FILE}: only committed files are released",
        )
    return Finding("champion", OK, f"{facts.champion[:12]}, committed")


def bundle(facts: Facts, in_remote: bool) -> Finding:
    """Whether a release finds the champion's bundle."""
    if facts.champion is None:
        return Finding("bundle", MISSING, "no bundle without a champion")
    if facts.damage:
        return Finding("bundle", FAILED, facts.damage, now=True)
    where = [name for name, there in (("git", facts.in_git), ("the remote store", in_remote)) if there]
    if where:
        return Finding("bundle", OK, f"in {' and in '.join(where)}")
    if facts.here:
        return Finding(
            "bundle",
            MISSING,
            "only on this machine: a release cannot find it",
            f"slipway push, or slipway promote {facts.champion[:12]} --in-git and commit",
        )
    return Finding(
        "bundle",
        FAILED,
        "not here, not in git, and not found in the remote store",
        "Run slipway push on the machine that trained it, or slipway train",
        now=True,
    )
