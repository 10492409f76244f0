"""The folders of the log, ``KIND/date=2026-11-22/bundle=8821177e2697/``, and files that a crash cannot leave incomplete."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.errors import StoreError
from slipway.model.event import FOLDER, SHORT, VARIABLE
from slipway.model.raw_files import make_folder
from slipway.problem import Problem
from slipway.store.atomic import locked, replace, sync_folder, unwritable

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store

ROWS, REFUSALS, LABELS = "rows", "refusals", "labels"
PARQUET = ".parquet"
TOP = "log/"  # of the remote store
PLACE = re.compile(rf"date=(\d{{4}}-\d\d-\d\d)/bundle=([0-9a-f]{{{SHORT}}})/[\w+-][\w.+-]*", re.ASCII)


@dataclass(frozen=True, order=True)
class Part:
    """A file of the log: what one bundle answered on one day (UTC).

    Parameters
    ----------
    day : date
    bundle : str
        The first twelve digits of its digest.
    name : str
        ``date=…/bundle=…/file``, the same in a folder and in a bucket.
    """

    day: date
    bundle: str
    name: str

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]


def part_of(name: str) -> Part | None:
    """The file of this name; None when it is not named as files of the log are."""
    found = PLACE.fullmatch(name)
    try:
        return Part(date.fromisoformat(found[1]), found[2], name) if found else None
    except ValueError:  # 2026-02-30
        return None


@dataclass(frozen=True)
class Log:
    """The log in a folder: ``raw/`` as the service writes it; ``rows/``, ``refusals/`` and ``labels/`` as tables."""

    root: Path

    def path(self, kind: str, part: Part) -> Path:
        return self.root / kind / part.name

    def parts(self, kind: str, ending: str = PARQUET) -> list[Part]:
        """The files of a kind, by day, bundle and name."""
        top = self.root / kind
        names = (path.relative_to(top).as_posix() for path in top.glob(f"date=*/bundle=*/*{ending}"))
        return sorted(part for part in map(part_of, names) if part)

    def labels(self) -> list[Path]:
        """The files of labels, sorted."""
        return sorted((self.root / LABELS).glob(f"*{PARQUET}"))

    def tables(self) -> Iterator[Path]:
        """All tables of the log."""
        for kind in (ROWS, REFUSALS):
            yield from (self.path(kind, part) for part in self.parts(kind))
        yield from self.labels()

    def write(self, path: Path, content: bytes) -> None:
        """Write or replace a file below the root, in one step that survives a power cut."""
        make_folder(self.root)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
        for folder in path.parents[1:]:  # the next step deletes what the file was made of: its folders must be there, too
            sync_folder(folder)
            if folder == self.root:
                return

    def replace(self, path: Path, content: bytes, remote: "S3Store | None") -> None:
        """Write or replace a table, in the remote store first: what is found there after a crash counts."""
        if remote:
            remote.write(self.address(path), content, sha256(content).hexdigest())
        self.write(path, content)

    def address(self, path: Path) -> str:
        """The name of a file in the remote store."""
        return TOP + path.relative_to(self.root).as_posix()

    def make(self) -> None:
        """Make the folder if there is none; StoreError when it cannot be made."""
        try:
            make_folder(self.root)
        except OSError as error:
            raise unwritable(self.root, error) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who changes the tables; others wait.

        Raises
        ------
        StoreError
            When there is no log, or it cannot be changed.
        """
        if not self.root.is_dir():
            raise StoreError(f"{self.root}: there is no log", "Let the service write one: see log in docs/settings.md")
        try:
            with locked(self.root):
                yield
        except OSError as error:
            raise unwritable(Path(error.filename or self.root), error) from error


def log_of(problem: Problem, environ: Mapping[str, str] = os.environ) -> Log:
    """The log of a problem: the folder ``log`` beside slipway.yaml, unless SLIPWAY_LOG names another."""
    return Log(Path(environ.get(VARIABLE) or problem.folder / FOLDER))
