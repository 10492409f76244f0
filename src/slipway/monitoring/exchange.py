"""The log in the remote store, in the layout of the folder below ``log/``.

Machines that serve put raw files there. Who collects makes tables of them, puts those there, and gets those that others made;
a table never changes but when a person is forgotten, and then the remote one counts.
"""

import re
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from hashlib import sha256
from pathlib import Path

from slipway.errors import StoreError
from slipway.model.event import CLOSED, RAW
from slipway.monitoring.intake import Collected, Tell, take
from slipway.monitoring.partitions import LABELS, PARQUET, REFUSALS, ROWS, TOP, Log, Part, part_of
from slipway.store.remote import Overtaken, S3Store

AT_ONCE = 10  # tables; as many connections does botocore keep open
OF_LABELS = re.compile(rf"{LABELS}/[0-9a-f]{{64}}{re.escape(PARQUET)}")


def take_objects(log: Log, remote: S3Store, ids: Collection[str], tell: Tell) -> Collected:
    """Make tables of the raw files in the remote store, put them there, and delete the raw ones.

    Raises
    ------
    StoreError
        When the remote store cannot be used. Nothing is lost or doubled.
    """
    done = Collected()
    for name, part in _parts(remote, RAW):
        if not name.endswith(CLOSED):
            continue
        try:
            content = remote.read(name)
        except Overtaken:  # another machine has just collected it
            continue
        try:
            taken = take(log, part, content, ids)
        except StoreError as error:
            tell(f"{remote.where(name)}: {error}")
            done += Collected(left=1)
            continue
        for path in taken.paths:
            _upload(log, remote, path)
        remote.delete(name)
        done += taken.counts
    return done


def exchange(log: Log, remote: S3Store) -> None:
    """Copy tables that either side lacks; where they differ, from the remote store.

    Several go at once, because a new runner lacks them all. Each is a file of its own that is written in one step, so a run
    that is cut off leaves some of them, and the next one copies the rest.

    Raises
    ------
    StoreError
        When the remote store cannot be used.
    """
    here = {log.address(path): path.stat().st_size for path in log.tables()}
    there = {
        name: size
        for kind in (ROWS, REFUSALS, LABELS)
        for name, size in remote.sizes(f"{TOP}{kind}/").items()
        if _is_table(name.removeprefix(TOP))
    }

    def give(name: str) -> None:
        _upload(log, remote, log.root / name.removeprefix(TOP))

    def get(name: str) -> None:
        with suppress(Overtaken):  # it was too old for another machine
            log.write(log.root / name.removeprefix(TOP), remote.read(name))

    _at_once(give, sorted(here.keys() - there.keys()))
    _at_once(get, sorted(name for name, size in there.items() if here.get(name) != size))


def expire_objects(remote: S3Store, oldest: date) -> int:
    """Delete the raw files and tables of days before `oldest`; returns their number."""
    old = [name for kind in (RAW, ROWS, REFUSALS) for name, part in _parts(remote, kind) if part.day < oldest]
    for name in old:
        remote.delete(name)
    return len(old)


def _at_once(copy: Callable[[str], None], names: list[str]) -> None:
    """Copy tables, several at a time; the first error ends it, after the copies that have begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(copy, names):
            pass


def _upload(log: Log, remote: S3Store, path: Path) -> None:
    content = path.read_bytes()
    with suppress(Overtaken):  # another machine made the same table; if a person was forgotten since, that one must stay
        remote.write(log.address(path), content, sha256(content).hexdigest(), IfNoneMatch="*")


def _parts(remote: S3Store, kind: str) -> Iterator[tuple[str, Part]]:
    """Name and part of each object of a kind."""
    start = f"{TOP}{kind}/"
    for name in sorted(remote.sizes(start)):
        if part := part_of(name.removeprefix(start)):
            yield name, part


def _is_table(name: str) -> bool:
    kind, _, rest = name.partition("/")
    return bool(OF_LABELS.fullmatch(name)) or kind in (ROWS, REFUSALS) and name.endswith(PARQUET) and part_of(rest) is not None
