"""A throw-away repository: this checkout's files, commits of its own."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rehearsal.box import ROOT
from rehearsal.containers import Docker
from rehearsal.registry import USER, Registry

AUTHOR = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.com", "-c", "commit.gpgsign=false")
BASE = re.compile(r"^FROM (?P<image>\S+) AS base$", re.MULTILINE)
NEWER_THAN_ACT = re.compile(r"^ +queue: max.*\n", re.MULTILINE)  # act plays no concurrency, and refuses the word
END_TO_END = re.compile(r"^  end-to-end:.*\n(?:(?:   .*)?\n)+", re.MULTILINE)  # the job that plays these workflows


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


def make_project(folder: Path, source: Path = ROOT) -> Project:
    """A repository with the files of the checkout `source` as they are now, but no champion; nothing is committed yet."""
    copy_files(folder, source, "artifacts/")
    for path in (folder / ".github/workflows").glob("*.yaml"):
        path.write_text(played(path.read_text()))
    project = Project(folder)
    project.git("init", "--quiet", "--initial-branch", "main")
    return project


def copy_files(folder: Path, source: Path, *without: str) -> None:
    """Copy the files of the checkout `source` as they are now, but for those whose path begins with one of `without`."""
    for name in listed(source, "--cached", "--others", "--exclude-standard"):
        if (source / name).is_file() and not name.startswith(without):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target)


def link_data(folder: Path, source: Path) -> None:
    """Link the files of data/ that git ignores in `source`, so that the repository in `folder` finds its table."""
    for name in listed(source, "--others", "--ignored", "--exclude-standard", "data"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(source / name)


def listed(source: Path, *which: str) -> list[str]:
    """Files that git lists in a checkout."""
    command = ["git", "ls-files", "-z", *which]
    names = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True).stdout
    return [name for name in names.split("\0") if name]


def name_base(folder: Path, image: str) -> None:
    """Write another base image into the Dockerfile, where Dependabot does."""
    path = folder / "Dockerfile"
    text, found = BASE.subn(f"FROM {image} AS base", path.read_text())
    assert found == 1
    path.write_text(text)


def pin_base(docker: Docker, registry: Registry, project: Project, login: Path) -> None:
    """Name the base image by a digest, if the Dockerfile does not: without one, every commit is tested anew.

    The image goes to the `registry`, where an engine without the internet finds it; `login` is the folder of Docker's
    settings that may then push and pull there.
    """
    found = BASE.search((project.folder / "Dockerfile").read_text())
    assert found is not None
    if "@" in found["image"]:
        return
    if docker("image", "inspect", found["image"], check=False).returncode:
        docker("pull", found["image"])
    name = f"{registry.host}/base"
    docker("tag", found["image"], f"{name}:1")
    docker("--config", login, "login", "--username", USER, "--password-stdin", registry.host, input=registry.password)
    docker("--config", login, "push", f"{name}:1")
    digests = docker.inspect(f"{name}:1")["RepoDigests"]
    name_base(project.folder, next(each for each in digests if each.startswith(f"{name}@")))


def played(workflow: str) -> str:
    """The copy of a workflow that act plays: without the job that would play it again, and without the word act refuses."""
    return NEWER_THAN_ACT.sub("", END_TO_END.sub("", workflow)).replace("integration, end-to-end]", "integration]")
