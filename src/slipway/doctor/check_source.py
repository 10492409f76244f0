"""The source: does retrain.yaml find it on a clean checkout, which contains only committed files?"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.doctor.finding import FAILED, OK, Finding
from slipway.problem import MONGODB, Problem
from slipway.sources.fetch import entries, files_of
from slipway.store.checkout import Checkout

RETRAIN = "retrain.yaml"


@dataclass(frozen=True)
class Entry:
    """The files of one entry of the source: how many are here, and which of them the last commit does not hold."""

    source: str
    here: int
    uncommitted: tuple[str, ...] = ()


def gather(problem: Problem) -> list[Entry]:
    """Look at the files, and at the last commit."""
    checkout = Checkout(problem.folder)
    top = checkout.top()
    listed = Checkout(top).git("ls-tree", "-r", "-z", "--name-only", "HEAD") if top else None
    committed = {str(top / name) for name in (listed or "").split("\0") if name}
    return [_entry(problem, source, committed) for source in entries(problem)]


def _entry(problem: Problem, source: str, committed: set[str]) -> Entry:
    files = files_of(problem, source)
    absent = [path for path in files if os.path.normpath(path) not in committed]
    return Entry(source, len(files), tuple(os.path.relpath(path, problem.folder) for path in absent))


def check(problem: Problem, files: list[Entry], workflows: Mapping[str, str]) -> list[Finding]:
    """Judge the source when there is a retrain.yaml; `workflows` has the text by name."""
    if RETRAIN not in workflows:
        return []
    if MONGODB in problem.source:
        return [_collection(problem.mongodb.url, workflows[RETRAIN])]
    return [_files(problem, each) for each in files] or [Finding("source", OK, f"{RETRAIN} reads S3")]


def _collection(variable: str, workflow: str) -> Finding:
    if variable in workflow:
        return Finding("source", OK, f"{RETRAIN} reads MongoDB, with the secret {variable}")
    cure = f"Add to the env of its step Train: {variable}: ${{{{ secrets.{variable} }}}}"
    return Finding("source", FAILED, f"{RETRAIN} does not pass {variable} to slipway train", cure)


def _files(problem: Problem, entry: Entry) -> Finding:
    if entry.here and not entry.uncommitted:
        return Finding("source", OK, f"{entry.source} is committed")
    if problem.fetch and len(entry.uncommitted) == entry.here:
        return Finding("source", OK, f"{entry.source} is fetched on a runner: {shlex.join(problem.fetch)}")
    name = entry.uncommitted[0] if entry.uncommitted else entry.source
    return Finding(
        "source", FAILED, f"{RETRAIN} starts from the last commit, which does not contain {name}",
        "Commit it (with git add --force if .gitignore has it), or set fetch in slipway.yaml to the command that writes it, "
        "or read it from S3 or MongoDB",
    )
