"""Raw files of the log → tables.

A table is named by the path and the content of its raw file, and is on the disk before that is deleted. So a run that was cut
off anywhere is ended by the next one, and no row is lost or doubled.
"""

import fcntl
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import astuple, dataclass
from hashlib import sha256
from operator import add
from pathlib import Path

from slipway.errors import StoreError
from slipway.model.event import CLOSED, OPEN, RAW
from slipway.monitoring.conversion import Converted, convert
from slipway.monitoring.logged_rows import to_parquet
from slipway.monitoring.partitions import PARQUET, REFUSALS, ROWS, Log, Part
from slipway.store.atomic import locked, sync_folder

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Collected:
    """What was done.

    Parameters
    ----------
    files, rows, counted, torn : int
        Raw files that became tables, the rows answered in them, their counts of refusals and warnings, and incomplete lines.
    held : int
        Raw files that a service still writes.
    left : int
        Raw files that this version cannot read; each was told.
    removed : int
        Files that were too old.
    """

    files: int = 0
    rows: int = 0
    counted: int = 0
    torn: int = 0
    held: int = 0
    left: int = 0
    removed: int = 0

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(*map(add, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Taken:
    """The tables that a raw file became, and what was in it."""

    paths: tuple[Path, ...]
    content: Converted

    @property
    def counts(self) -> Collected:
        rows = 0 if self.content.rows is None else len(self.content.rows)
        return Collected(files=1, rows=rows, counted=self.content.counted.num_rows, torn=self.content.torn)


def take(log: Log, part: Part, content: bytes, ids: Collection[str]) -> Taken:
    """Make tables of a raw file, wherever it is; it can be deleted afterwards.

    Raises
    ------
    StoreError
        When this version cannot read it; without its name.
    """
    converted = convert(content, ids)
    name = part.name.removesuffix(OPEN).removesuffix(CLOSED)
    hashed = sha256(f"{name}\n".encode())
    hashed.update(content)
    tables = {}
    if converted.rows is not None:
        tables[ROWS] = converted.rows.to_parquet()
    if converted.counted.num_rows:
        tables[REFUSALS] = to_parquet(converted.counted)
    paths = {kind: log.root / kind / part.folder / f"{hashed.hexdigest()}{PARQUET}" for kind in tables}
    for kind, packed in tables.items():
        log.write(paths[kind], packed)
    return Taken(tuple(paths.values()), converted)


def take_files(log: Log, ids: Collection[str], tell: Tell) -> Collected:
    """Make tables of the raw files in the log's folder; the caller has the log alone.

    A file that its service has closed, or did not because it was killed, is one that nobody has locked.

    Raises
    ------
    OSError
        When something cannot be written.
    """
    done = Collected()
    for part in [*log.parts(RAW, OPEN), *log.parts(RAW, CLOSED)]:
        path = log.path(RAW, part)
        if part.name.endswith(OPEN) and is_fresh(path):
            continue
        try:
            with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                taken = take(log, part, path.read_bytes(), ids)
                path.unlink()
                sync_folder(path.parent)  # it must not come back after a power cut, when a person of it is forgotten
                done += taken.counts
        except BlockingIOError:
            done += Collected(held=1)
        except FileNotFoundError:  # its service has just closed it
            continue
        except StoreError as error:
            tell(f"{path}: {error}")
            done += Collected(left=1)
    return done


def is_fresh(path: Path) -> bool:
    """Whether nothing is in the file yet: its service may not have had the time to lock it."""
    with suppress(FileNotFoundError):
        return path.stat().st_size == 0
    return True
