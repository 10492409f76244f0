"""A throw-away repository: this checkout's files, commits of its own."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rehearsal.box import ROOT

AUTHOR = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Project:
    """A repository in `folder`, on its branch main."""

    folder: Path

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *AUTHOR, *arguments], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"git {arguments[0]} failed: {done.stderr}")
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; the commit's name."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def clone(self, folder: Path) -> "Project":
        """A clean checkout, as a runner has it: what is committed and nothing else; its origin is this repository."""
        self.git("clone", "--quiet", str(self.folder), str(folder))
        return Project(folder)


def make_project(folder: Path) -> Project:
    """A repository with the files of this checkout as they are now, but no champion; nothing is committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("artifacts/"):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    project = Project(folder)
    project.git("init", "--quiet", "--initial-branch", "main")
    return project
