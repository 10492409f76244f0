"""The checkout: what git knows about the store, and staging a bundle in git next to the pointer."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import StoreError
from slipway.model.bundle import DIGEST, MANIFEST, SERVING, Bundle
from slipway.store import verdicts
from slipway.store.local import LocalStore
from slipway.store.pointer import FILE

MAIN = ("main", "master")  # the default branch where origin does not name one
LIMIT = 1_000_000  # bytes of one bundle: every committed bundle stays in the history for ever


@dataclass(frozen=True)
class Checkout:
    """A folder in a git repository: its top folder or one below."""

    folder: Path

    def git(self, *arguments: str | Path) -> str | None:
        """Output of a git command; None if it fails, or without git or a repository.

        Paths are relative to `folder` and taken literally.
        """
        try:
            done = self._run(*arguments)
        except OSError:
            return None
        return done.stdout if done.returncode == 0 else None

    def top(self) -> Path | None:
        """The repository's top folder; None outside a repository."""
        found = self.git("rev-parse", "--show-toplevel")
        return Path(found.removesuffix("\n")) if found else None

    def side_branch(self) -> str:
        """The branch that is checked out, if it is another than the default one; empty where git does not tell."""
        branch = self._ref("symbolic-ref", "--quiet", "--short", "HEAD")
        default = self._ref("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
        places = ("refs/heads", "refs/remotes/origin")
        usual = (name for name in MAIN if any(self._ref("rev-parse", "--verify", "--quiet", f"{at}/{name}") for at in places))
        default = default or next(usual, "")
        return branch if default and branch != default else ""

    def _ref(self, *arguments: str) -> str:
        return (self.git(*arguments) or "").strip()

    def bundles(self, store: LocalStore) -> set[str]:
        """Digests of the bundles in the next commit."""
        listed = self.git("ls-files", "--full-name", "-z", "--", store.bundles.resolve()) or ""
        folders = {Path(name).parent.name for name in listed.split("\0")}
        return {name for name in folders if DIGEST.fullmatch(name)}

    def keep(self, store: LocalStore, bundle: Bundle) -> None:
        """Stage what serves of a bundle for the next commit, and remove the previous bundle from it.

        The files of the previous one stay on this disk and in earlier commits.

        Raises
        ------
        StoreError
            If the bundle is larger than `LIMIT` or git refuses; then nothing has changed.
        """
        size = size_of(bundle)
        if size > LIMIT:
            raise StoreError(
                f"what serves of bundle {bundle.digest[:12]} has {size:,} bytes; the limit for a bundle in git is {LIMIT:,}",
                "Set remote in slipway.yaml and run slipway push, or remove candidates with large models",
            )
        root = store.bundles.resolve()
        self._do("add", "--force", "--", *(root / bundle.digest / name for name in bundle.carried(SERVING)))
        for digest in sorted(self.bundles(store) - {bundle.digest}):
            self._do("rm", "-r", "--cached", "--quiet", "--", root / digest)

    def stage_pointer(self, store: LocalStore) -> None:
        """Stage the pointer and the verdicts for the next commit."""
        self._do("add", "--force", "--", *((store.root / name).resolve() for name in (FILE, verdicts.FILE)))

    def _do(self, *arguments: str | Path) -> None:
        try:
            done = self._run(*arguments)
        except OSError as error:
            raise StoreError(f"git cannot be run ({error.strerror})", "Install git, or omit --in-git") from error
        if done.returncode:
            says = next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
            cure = "Run git init there, or omit --in-git" if "not a git repository" in says else ""
            raise StoreError(f"{self.folder}: git {arguments[0]}: {says}", cure)

    def _run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command, english = ["git", "--literal-pathspecs", *arguments], os.environ | {"LC_ALL": "C"}
        return subprocess.run(command, cwd=self.folder, env=english, capture_output=True, text=True, errors="replace")


def size_of(bundle: Bundle) -> int:
    """Bytes of what serves of a bundle, its list and the manifest with it."""
    listed: int = sum(bundle.files[name]["bytes"] for name in bundle.carried(SERVING) if name != MANIFEST)
    return listed + (bundle.folder / MANIFEST).stat().st_size
