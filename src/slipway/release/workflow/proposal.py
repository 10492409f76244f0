"""The next model as a pull request: opened, or updated, with the pointer and its verdict alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.image.key import POINTER, git

BRANCH = "slipway/retrain"
FILES = (POINTER, "artifacts/verdict.json")
AUTHOR = ("-c", "user.name=github-actions[bot]", "-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com")
PULLS = "repos/{owner}/{repo}/pulls"
NEW = ("-f", f"head={BRANCH}", "-f", "base=main")
LONGEST = 60_000  # characters of a body; GitHub takes 65,536
CUT = "\n… The rest is cut off: `slipway diff HEAD~1` on this branch shows all of it.\n"
UNDO = """
#### How to undo it

Press *Revert* on this pull request once it is merged, or run `git revert` for its commit (`-m 1` for a merge commit) and push.
Code and model go back together, to the image that served before: nothing is trained, built or tested again.
"""


def propose(repository: Path) -> Iterator[str]:
    """Propose what `slipway train` promoted just now; says what was done, as Markdown.

    Through the API of pull requests: ``gh pr edit`` also asks for their projects, which a workflow's token may not read.

    Raises
    ------
    ReleaseError
        If git, gh or slipway fails, with what it says.
    """
    pointer = repository / POINTER
    if not pointer.exists():
        yield "No champion yet: the gate kept the model."
        return
    if git(repository, "ls-files", "--", POINTER) and not git(repository, "diff", "--name-only", "HEAD", "--", POINTER):
        yield "The champion stays: nothing to propose."
        return
    difference = _run(repository, sys.executable, "-m", "slipway", "diff", "HEAD")
    said = body(difference)
    yield said.rstrip("\n")
    title = f"Serve model {json.loads(pointer.read_bytes())['digest'][:12]}"
    _push(repository, title)
    yield _open(repository, title, said)
    _run(repository, "gh", "workflow", "run", "main.yaml", "--ref", BRANCH)  # what a workflow pushes starts nothing itself


def body(difference: str) -> str:
    """What the pull request says: all of ``slipway diff`` that has room, in whole lines, and how to undo it."""
    room = LONGEST - len(UNDO)
    if len(difference) > room:
        start = difference[: room - len(CUT)]
        difference = (start[: start.rfind("\n") + 1] or start) + CUT
    return difference + UNDO


def _push(repository: Path, title: str) -> None:
    git(repository, "switch", "--quiet", "--force-create", BRANCH)
    git(repository, "add", "--force", *FILES)
    git(repository, *AUTHOR, "commit", "--quiet", "--message", title, "--only", *FILES)
    _run(repository, "gh", "auth", "setup-git")
    git(repository, "push", "--quiet", "--force", "origin", BRANCH)


def _open(repository: Path, title: str, body: str) -> str:
    """Address of the pull request of the branch, which is opened if there is none."""
    asked = f"{PULLS}?head={{owner}}:{BRANCH}&base=main&state=open"
    number = _run(repository, "gh", "api", asked, "--jq", ".[].number").strip()
    place = ("--method", "PATCH", f"{PULLS}/{number}") if number else ("--method", "POST", PULLS, *NEW)
    said = ("-f", f"title={title}", "-F", "body=@-", "--jq", ".html_url")
    return _run(repository, "gh", "api", *place, *said, text=body).strip()


def _run(repository: Path, *command: str, text: str = "") -> str:
    """Output of a program that reads `text`; ReleaseError with what it says if it fails."""
    done = subprocess.run(command, cwd=repository, input=text, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {done.stderr.strip()}")
    return done.stdout
