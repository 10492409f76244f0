"""How far a batch has come: written beside its unfinished output, and found again after a crash."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from slipway.errors import TableError
from slipway.store.atomic import replace, unwritable

FORMAT = 1


@dataclass(frozen=True)
class Mark:
    """A place between two rows.

    Parameters
    ----------
    position : mapping
        Where the input goes on; empty at its start.
    scored, rejected : int
        Rows before it.
    written, refused : int
        Bytes of the unfinished output and of the unfinished rejects that belong to these rows.
    """

    position: Mapping[str, Any] = field(default_factory=dict)
    scored: int = 0
    rejected: int = 0
    written: int = 0
    refused: int = 0

    @property
    def rows(self) -> int:
        return self.scored + self.rejected


@dataclass(frozen=True)
class Record:
    """The file that remembers the last mark of one job.

    Parameters
    ----------
    path : Path
    job : mapping
        What is done to which input, with which bundle; a mark of another job is none.
    """

    path: Path
    job: Mapping[str, Any]

    def read(self) -> tuple[Mark | None, bool, str]:
        """The last mark, whether all rows are done, and why an earlier run cannot be resumed (empty when it can)."""
        try:
            found = json.loads(self.path.read_bytes())
            mark, job, done = Mark(**found["mark"]), found["job"], found["done"]
        except FileNotFoundError:
            return None, False, ""
        except (OSError, ValueError, KeyError, TypeError):
            return None, False, "its record cannot be read"
        if found.get("format") != FORMAT:
            return None, False, "another version of Slipway began it"
        wanted = json.loads(json.dumps(self.job))
        if job != wanted:
            odd = [name for name in wanted if job.get(name) != wanted[name]]
            return None, False, f"{' and '.join(odd)} changed"
        return mark, done, ""

    def write(self, mark: Mark, done: bool = False) -> None:
        """Remember a mark; what belongs to it must be on the disk before."""
        content = {"format": FORMAT, "job": self.job, "mark": asdict(mark), "done": done}
        try:
            replace(self.path, json.dumps(content, indent=1).encode() + b"\n")
        except OSError as error:
            raise unwritable(self.path, error, TableError) from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
