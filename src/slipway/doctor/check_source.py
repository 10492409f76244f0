"""The source: does retrain.yaml find it on a clean checkout, which contains only committed files?"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.doctor.finding import FAILED, OK, Finding
from slipway.problem import Problem
from slipway.sources.local_files import LocalFiles
from slipway.sources.source import Source, sources_of
from slipway.store.checkout import Checkout

RETRAIN = "retrain.yaml"


@dataclass(frozen=True)
class Entry:
    """One entry of the source; of files on the disk, how many are here, and which of them the last commit does not hold."""

    source: Source
    here: int = 0
    uncommitted: tuple[str, ...] = ()


def gather(problem: Problem) -> list[Entry]:
    """Look at the files, and at the last commit."""
    checkout = Checkout(problem.folder)
    top = checkout.top()
    listed = Checkout(top).git("ls-tree", "-r", "-z", "--name-only", "HEAD") if top else None
    committed = {str(top / name) for name in listed.split("\0") if name} if top and listed else set()
    return [_entry(problem, source, committed) for source in sources_of(problem)]


def _entry(problem: Problem, source: Source, committed: set[str]) -> Entry:
    if not isinstance(source, LocalFiles):
        return Entry(source)
    files = source.found()
    absent = [path for path in files if os.path.normpath(path) not in committed]
    return Entry(source, len(files), tuple(os.path.relpath(path, problem.folder) for path in absent))


def check(problem: Problem, entries: list[Entry], workflows: Mapping[str, str]) -> list[Finding]:
    """Judge the source when there is a retrain.yaml; `workflows` has the text by name."""
    if RETRAIN not in workflows:
        return []
    return [
        _files(problem, each) if isinstance(each.source, LocalFiles) else _elsewhere(each.source, workflows[RETRAIN])
        for each in entries
    ]


def _elsewhere(source: Source, workflow: str) -> Finding:
    for variable in source.variables:
        if variable not in workflow:
            cure = f"Add to the env of its step Train: {variable}: ${{{{ secrets.{variable} }}}}"
            return Finding("source", FAILED, f"{RETRAIN} does not pass {variable} to slipway train", cure)
    secrets = f", with the secret {', '.join(source.variables)}" if source.variables else ""
    return Finding("source", OK, f"{RETRAIN} reads {source.where}{secrets}")


def _files(problem: Problem, entry: Entry) -> Finding:
    if entry.here and not entry.uncommitted:
        return Finding("source", OK, f"{entry.source.where} is committed")
    if problem.fetch and len(entry.uncommitted) == entry.here:
        return Finding("source", OK, f"{entry.source.where} is fetched on a runner: {shlex.join(problem.fetch)}")
    name = entry.uncommitted[0] if entry.uncommitted else entry.source.where
    return Finding(
        "source",
        FAILED,
        f"{RETRAIN} starts from the last commit, which does not contain {name}",
        "Commit it (with git add --force if .gitignore has it), or set fetch in slipway.yaml to the command that writes it, "
        "or read it from S3, MongoDB or an SQL database",
    )
