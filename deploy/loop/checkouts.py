"""The repository of the rehearsal: its origin, the checkout that trains and watches, and the one that serves."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loop.clock import Clock
from loop.parcels import SETTINGS, Parcel, write_table
from rehearsal.github import GitHub, install
from rehearsal.project import ROOT, Project
from slipway.store.local import LocalStore

BRANCH = "slipway/retrain"
IGNORED = "/data/\n/log/\nartifacts/*\n!artifacts/champion.json\n!artifacts/verdict.json\n"
CODES = (0, 10, 11, 12)  # of slipway watch


@dataclass(frozen=True)
class Checkouts:
    """Two checkouts of one origin, as a runner and a box have them, and a stand-in for GitHub.

    Parameters
    ----------
    runner : Project
        Trains, takes labels, watches and proposes.
    box : Project
        Serves what was committed.
    github : GitHub
    environ : mapping
        Of all that is run: the clock, the log, the stand-in's folder in PATH.
    """

    runner: Project
    box: Project
    github: GitHub
    environ: Mapping[str, str]

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.runner.folder / "artifacts")

    def run(self, *command: str, codes: Sequence[int] = (0,)) -> str:
        """What ``python -m COMMAND`` says on the runner; RuntimeError when it ends with another code than these."""
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.runner.folder, env=self.environ, capture_output=True, text=True
        )
        if done.returncode not in codes:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def labels(self, table: Path) -> dict[str, int]:
        """`slipway labels`: how many were new, duplicate, corrected and not taken; and of all, how many have a prediction."""
        said = self.run("slipway", "labels", str(table))
        return {what: int(number.replace(",", "")) for number, what in re.findall(r"(\d[\d,]*) ([a-z]+ ?[a-z]*)", said)}

    def watch(self) -> dict[str, Any]:
        """`slipway watch`: the line that it adds to the journal."""
        self.run("slipway", "watch", codes=CODES)
        return [each for each in self.store.journal.entries() if each["event"] == "watch"][-1]

    def train(self, known: Sequence[Parcel]) -> None:
        """`slipway train` on a table of these."""
        write_table(self.runner.folder / "data/parcels.csv", known)
        self.run("slipway", "train")

    def trainings(self) -> list[dict[str, Any]]:
        """What the journal has of them, the first one first."""
        return [each for each in self.store.journal.entries() if each["event"] == "verdict"]

    def propose(self) -> None:
        """The last step of the workflow; then main again, as the next run checks it out."""
        self.run("slipway.release", "propose")
        self.runner.git("switch", "--quiet", "main")

    def proposed(self) -> list[str]:
        """The files that the branch of the proposal changes in the origin."""
        self.runner.git("fetch", "--quiet", "origin")
        return self.runner.git("diff", "--name-only", "origin/main", f"origin/{BRANCH}").splitlines()


def make_checkouts(place: Path, clock: Clock, log: Path, known: Sequence[Parcel]) -> Checkouts:
    """An origin with a first model, learned from these parcels now; and its checkouts."""
    origin = Project(place / "origin.git")
    origin.folder.mkdir()
    origin.git("init", "--quiet", "--bare", "--initial-branch", "main")
    runner = origin.clone(place / "runner")
    (runner.folder / "slipway.yaml").write_text(SETTINGS)
    (runner.folder / ".gitignore").write_text(IGNORED)
    (place / "bin").mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")} | {
        **clock.environ(ROOT / "src"),
        "SLIPWAY_LOG": str(log),
        "PATH": os.pathsep.join([str(place / "bin"), os.environ["PATH"]]),
    }
    found = Checkouts(runner, Project(place / "box"), install(place / "bin"), environ)
    found.train(known)
    runner.commit("The first model")
    runner.git("push", "--quiet", "origin", "main")
    origin.clone(found.box.folder)
    shutil.copytree(runner.folder / "artifacts/bundles", found.box.folder / "artifacts/bundles")  # as slipway pull would
    return found
