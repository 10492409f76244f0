"""slipway collect: raw files here and in the remote store → tables in both, and the end of days that are too old."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from slipway.monitoring.intake import Collected, Tell, take_files
from slipway.monitoring.partitions import Log
from slipway.monitoring.retention import expire, expired_labels
from slipway.monitoring.whole_days import renew

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store


def collect(
    log: Log,
    ids: Collection[str],
    keep_days: int,
    now: datetime,
    tell: Tell,
    remote: "S3Store | None" = None,
) -> Collected:
    """Make tables of all raw files, and delete what is too old.

    Parameters
    ----------
    log : Log
        Made when there is none and `remote` is given.
    ids : collection of str
        Columns that name a row.
    keep_days : int
        Days before today that are kept; labels stay 90 days longer.
    now : datetime
        In UTC.
    tell : callable
        Told of each raw file that stays because it cannot be read, and why.
    remote : S3Store, optional

    Raises
    ------
    StoreError
        When there is no log, or something cannot be read or written. The next run goes on from there.
    """
    keep = timedelta(days=keep_days)
    if remote:
        log.make()
    with log.alone():
        removed = expire(log, now.date() - keep, now.date())
        if remote:
            from slipway.monitoring.exchange import expire_objects

            removed += expire_objects(remote, now.date() - keep)
        done = gather(log, ids, tell, remote)
        removed += _expire_labels(log, keep, now, remote)
        renew(log, now.date())
        return done + Collected(removed=removed)


def gather(log: Log, ids: Collection[str], tell: Tell, remote: "S3Store | None") -> Collected:
    """Make tables of all raw files, and have the tables of both places in both; the caller has the log alone."""
    done = take_files(log, ids, tell)
    if remote:
        from slipway.monitoring.exchange import exchange, take_objects

        done += take_objects(log, remote, ids, tell)
        exchange(log, remote)
    return done


def _expire_labels(log: Log, keep: timedelta, now: datetime, remote: "S3Store | None") -> int:
    expired = expired_labels(log, keep, now)
    for path in expired:
        if remote:
            remote.delete(log.address(path))
        path.unlink()
    return len(expired)
