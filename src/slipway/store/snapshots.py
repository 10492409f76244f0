"""Tables that trainings read, kept as Parquet, so that each training can be repeated after its source has changed.

``data/<fingerprint>/`` in the store holds ``table.parquet`` and ``about.json``, which has its SHA-256. A folder appears
complete or not at all, and never changes.
"""

import fcntl
import json
import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from slipway.errors import StoreError
from slipway.model.bundle import DIGEST
from slipway.model.document import parse, read_plain
from slipway.store.atomic import locked, unwritable, write_synced
from slipway.store.digests import find
from slipway.store.draft import clean, discard, drafted
from slipway.table.identity import fingerprint

FORMAT = 1
TABLE, ABOUT = "table.parquet", "about.json"
TRAINING = ".training"  # each training has it locked, shared with others; the system releases it when a process dies
DAMAGED = "The folder is damaged: delete it"


@dataclass(frozen=True)
class KeptData:
    """The tables kept below `root`, the folder ``data`` of a store."""

    root: Path

    def keep(self, table: pyarrow.Table, about: dict[str, Any]) -> str:
        """Write a table, all or nothing, unless an intact one exists with the same `about`.

        Parameters
        ----------
        table : pyarrow.Table
        about : dict
            Whatever else a repetition needs, as JSON.

        Returns
        -------
        str
            The fingerprint.

        Raises
        ------
        StoreError
            If the folder cannot be written (permissions, full disk). Nothing is left behind.
        """
        named = fingerprint(table)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with locked(self.root):
                clean(self.root)
                if not self._sound(named, about):
                    self._write(named, table, about)
                os.utime(self.root / named)  # the last ones used are those to keep
        except OSError as error:
            raise unwritable(self.root, error) from error
        return named

    def read(self, named: str) -> tuple[pyarrow.Table, dict[str, Any]]:
        """A kept table, verified, and its `about`; StoreError if it is missing or damaged."""
        folder = self.root / named
        if not DIGEST.fullmatch(named) or not folder.is_dir():
            raise StoreError(f"data {named[:12]} is not in {self.root}", "Train from the source, or copy the folder there")
        try:
            with locked(self.root):  # nobody prunes it meanwhile
                about = self._about(folder)
                table = parquet.read_table(folder / TABLE)
                with suppress(OSError):  # a user who may only read it does not decide what is kept
                    os.utime(folder)
        except (OSError, pyarrow.ArrowException) as error:
            raise StoreError(f"{folder}: cannot be read ({error})", DAMAGED) from error
        if fingerprint(table) != named:
            raise StoreError(f"{folder / TABLE}: does not match its fingerprint", DAMAGED)
        return table, about["about"]

    def find(self, prefix: str) -> str:
        """The one fingerprint that starts with `prefix`; StoreError if there is none, or several."""
        return find(prefix, lambda: sorted(self.sizes()), "data", self.root, "None is kept: see data.keep in docs/settings.md")

    def sizes(self) -> dict[str, int]:
        """Bytes of all kept tables, by fingerprint, most recently used first."""
        try:
            folders = [path for path in self.root.iterdir() if DIGEST.fullmatch(path.name)]
            folders.sort(key=lambda path: (-path.stat().st_mtime_ns, path.name))
            return {path.name: sum(file.stat().st_size for file in path.iterdir()) for path in folders}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be read ({error.strerror})") from error

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """A training, from before it reads until its verdict; blocks pruning."""
        if not self.root.is_dir():  # nothing to prune yet, and a user without read permission must not write
            yield
            return
        with self._training(fcntl.LOCK_SH):
            yield

    def _training(self, how: int) -> AbstractContextManager[None]:
        try:
            (self.root / TRAINING).touch()
        except OSError as error:
            raise unwritable(self.root, error) from error
        return locked(self.root / TRAINING, how)

    def prune(self, number: int, most_bytes: int, spared: Collection[str]) -> list[str]:
        """Remove the least recently used tables beyond `number` or `most_bytes` in total, but none of `spared`.

        While another training is in progress nothing is removed: one of the tables may become its champion's. A training
        that begins meanwhile waits.
        """
        if not self.root.is_dir():
            return []
        try:
            with self._training(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return self._pruned(number, most_bytes, spared)
        except BlockingIOError:
            return []
        except OSError as error:
            raise unwritable(self.root, error) from error

    def _pruned(self, number: int, most_bytes: int, spared: Collection[str]) -> list[str]:
        removed = []
        with locked(self.root):
            sizes = self.sizes()
            kept, total = len(set(spared) & set(sizes)), sum(sizes[named] for named in set(spared) & set(sizes))
            for named in [named for named in sizes if named not in spared]:
                kept, total = kept + 1, total + sizes[named]
                if kept > number or total > most_bytes:
                    discard(self.root / named)
                    kept, total = kept - 1, total - sizes[named]
                    removed.append(named)
            clean(self.root)
        return removed

    def _sound(self, named: str, about: dict[str, Any]) -> bool:
        try:
            return bool(self._about(self.root / named)["about"] == about)
        except (StoreError, OSError):
            return False

    def _about(self, folder: Path) -> dict[str, Any]:
        try:
            about: dict[str, Any] = parse(read_plain(folder / ABOUT))
            right = about["format"] == FORMAT and about["sha256"] == _digest(folder / TABLE)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{folder / ABOUT}: was not written by slipway train", DAMAGED) from error
        if not right:
            raise StoreError(f"{folder / TABLE}: its SHA-256 differs from the one in {ABOUT}", DAMAGED)
        return about

    def _write(self, named: str, table: pyarrow.Table, about: dict[str, Any]) -> None:
        with drafted(self.root / named) as draft:
            packed = pyarrow.BufferOutputStream()
            parquet.write_table(table, packed)
            content = packed.getvalue()
            write_synced(draft / TABLE, content)
            document = {"format": FORMAT, "sha256": sha256(content).hexdigest(), "about": about}
            write_synced(draft / ABOUT, json.dumps(document, sort_keys=True, indent=1).encode() + b"\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        hashed = sha256()
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
