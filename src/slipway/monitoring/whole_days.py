"""Past days of the log in one file each: copies, for reading.

A service leaves a table for each worker and hour. To open two thousand of them takes longer than to read what they have, so
the small tables of a past day are also kept as one, in ``days/KIND/date=…/bundle=…/``. A copy is named by the tables that it
was made of, and is read only while these are the ones that are there. So it is never wrong, whenever a run was cut off: what
counts is the tables, and they alone are in the remote store. When tables come late, the copy without them stays for an hour,
because somebody may just be reading the log.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from time import time_ns

import pyarrow

from slipway.errors import StoreError
from slipway.monitoring.logged_rows import joined, read_rows, read_table, to_parquet
from slipway.monitoring.partitions import PARQUET, REFUSALS, ROWS, Log, Part

DAYS = "days"
LARGEST = 16 << 20  # bytes of a day's tables: what opens more is busy reading, and a copy would save nothing
HOUR = 3_600_000_000_000  # nanoseconds


def files(log: Log, kind: str) -> Iterator[tuple[Part, Path]]:
    """All that the log has of a kind, once: of a day the copy, if there is one, or its tables."""
    for parts in _days(log, kind):
        copy = _copy(log, kind, parts)
        if copy.is_file():
            yield parts[0], copy
        else:
            yield from ((part, log.path(kind, part)) for part in parts)


def renew(log: Log, today: date) -> None:
    """Make the copies of days before `today`, and delete what is none any more; the caller has the log alone.

    Raises
    ------
    OSError
        When something cannot be written.
    """
    for kind in (ROWS, REFUSALS):
        wanted = set[Path]()
        for parts in _days(log, kind):
            copy = _copy(log, kind, parts)
            wanted |= _earlier(log, kind, parts, copy)
            if len(parts) > 1 and parts[0].day < today and _size(log, kind, parts) <= LARGEST:
                with suppress(StoreError):  # a table is damaged: who reads the day will say so
                    if not copy.is_file():
                        log.write(copy, _together(kind, [log.path(kind, part) for part in parts]))
                    wanted.add(copy)
        _delete(log, kind, wanted)


def delete(log: Log) -> None:
    """Delete all copies; the caller has the log alone."""
    for kind in (ROWS, REFUSALS):
        _delete(log, kind, set())


def _delete(log: Log, kind: str, kept: set[Path]) -> None:
    for folder in (log.root / DAYS / kind).glob("date=*/bundle=*"):
        for path in folder.iterdir():
            if path not in kept:
                path.unlink()
        for empty in (folder, folder.parent):
            with suppress(OSError):
                empty.rmdir()


def _days(log: Log, kind: str) -> Iterator[list[Part]]:
    """The tables of each day and bundle."""
    for _, parts in groupby(log.parts(kind), lambda part: part.folder):
        yield list(parts)


def _earlier(log: Log, kind: str, parts: Sequence[Part], copy: Path) -> set[Path]:
    """The copies of what there was within the last hour: somebody may be about to read them.

    They are of the tables that are still as they were: one that was written again may have had a person who is forgotten.
    """
    if not {*copy.parent.glob("*")} - {copy}:  # as nearly always
        return set()
    written = {part: log.path(kind, part).stat().st_mtime_ns for part in parts}
    moments = {moment for moment in written.values() if moment > time_ns() - HOUR}
    before = ([part for part in parts if written[part] < moment] for moment in moments)
    return {_copy(log, kind, some) for some in before if some}


def _copy(log: Log, kind: str, parts: Sequence[Part]) -> Path:
    """The path of the copy: a table that was written again is another one, though it has the same name."""
    made_of = sha256()
    for part in parts:
        with suppress(FileNotFoundError):  # it has just been deleted: then no copy has this name
            found = log.path(kind, part).stat()
            made_of.update(f"{part.name} {found.st_ino} {found.st_size} {found.st_mtime_ns}\n".encode())
    return log.root / DAYS / kind / parts[0].folder / f"{made_of.hexdigest()}{PARQUET}"


def _size(log: Log, kind: str, parts: Sequence[Part]) -> int:
    return sum(log.path(kind, part).stat().st_size for part in parts)


def _together(kind: str, paths: Sequence[Path]) -> bytes:
    if kind == ROWS:
        return joined([read_rows(path) for path in paths]).to_parquet()
    return to_parquet(pyarrow.concat_tables([read_table(path) for path in paths]))
