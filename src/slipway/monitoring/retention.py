"""The end of what the log keeps: whole days, and labels that no prediction can need any more."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pyarrow import compute

from slipway.model.event import RAW
from slipway.monitoring.logged_rows import read_table
from slipway.monitoring.partitions import REFUSALS, ROWS, Log
from slipway.monitoring.whole_days import DAYS
from slipway.store.atomic import locked

WAIT = timedelta(days=90)  # how long a label waits for its prediction, which may still be on its way from another machine


def expire(log: Log, oldest: date, today: date) -> int:
    """Delete the days before `oldest`, but for files that a service still writes; returns the number of files but copies.

    Raises
    ------
    OSError
        When something cannot be deleted.
    """
    removed = 0
    for kind in (ROWS, REFUSALS):
        for folder in _days(log.root / DAYS / kind, oldest):
            shutil.rmtree(folder)
        for folder in _days(log.root / kind, oldest):
            removed += sum(1 for path in folder.glob("*/*") if path.is_file())
            shutil.rmtree(folder)
    for folder in _days(log.root / RAW, oldest):
        for path in folder.glob("*/*"):
            with suppress(BlockingIOError), locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                path.unlink()
                removed += 1
    for folder in _days(log.root / RAW, today - timedelta(days=1)):  # a service makes files in the folder of today alone
        for empty in (*folder.iterdir(), folder):
            with suppress(OSError):
                empty.rmdir()
    return removed


def _days(top: Path, before: date) -> Iterator[Path]:
    for folder in top.glob("date=*"):
        with suppress(ValueError):
            if date.fromisoformat(folder.name.removeprefix("date=")) < before:
                yield folder


def expired_labels(log: Log, keep: timedelta, now: datetime) -> list[Path]:
    """The files of labels whose predictions are all deleted, and that have waited for others long enough to be told."""
    limit = (now - keep - WAIT).replace(tzinfo=UTC)
    return [path for path in log.labels() if (seen := _latest(path)) is not None and seen < limit]


def _latest(path: Path) -> datetime | None:
    latest: datetime | None = compute.max(read_table(path, ["seen_at"]).column("seen_at")).as_py()
    return latest
