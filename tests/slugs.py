"""What Heroku builds and runs: this repository, and one that ``slipway new --heroku`` made, each with a Python for it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import wheels
from rehearsal.project import copy_files

ROOT = Path(__file__).resolve().parent.parent
PROBLEM = "name: regression\nsource: table.csv\ntarget: charges\n"
LIBRARIES = "requirements-release.txt"


@dataclass(frozen=True)
class Slug:
    """A commit that Heroku unpacked.

    Parameters
    ----------
    folder : Path
    programs : Path
        Folder of the programs that the buildpack installed.
    libraries : Path
        The locked requirements of what fetches a bundle.
    """

    folder: Path
    programs: Path
    libraries: Path

    def environ(self, **config: str) -> dict[str, str]:
        """The config vars and nothing else of this environment."""
        path = os.pathsep.join([str(self.programs), "/usr/bin", "/bin"])
        return {"PATH": path, "HOME": str(self.folder)} | config

    def build(self, **config: str) -> subprocess.CompletedProcess:
        """The hook at the end of Heroku's build."""
        return subprocess.run(
            [self.folder / "bin" / "post_compile"],
            cwd=self.folder,
            env=self.environ(STACK="heroku-24", **config),
            capture_output=True,
            text=True,
            timeout=120,
        )


@contextmanager
def ours() -> Iterator[Slug]:
    """The files of a commit of this repository, with a problem of their own."""
    with _folder() as folder:
        copy_files(folder, ROOT, "artifacts/", "tests/")
        (folder / "slipway.yaml").write_text(PROBLEM)
        yield Slug(folder, Path(sys.executable).parent, folder / LIBRARIES)


@contextmanager
def thin(made: Path, site: Path) -> Iterator[Slug]:
    """A copy of what ``slipway new --heroku`` made, with the Slipway of `site` beside the libraries."""
    with _folder() as place:
        own = shutil.copytree(site, place / "site")  # a test changes its locked requirements
        environment = wheels.environment(place / "python", own)
        folder = shutil.copytree(made, place / "app")
        (folder / "slipway.yaml").write_text(PROBLEM)
        yield Slug(folder, environment / "bin", own / "slipway/project/locks" / LIBRARIES)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder where any user may read."""
    with tempfile.TemporaryDirectory(prefix="slug-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
