"""What looks leave for the next one, on whatever machine that is made: watch.json, and lines of the journal.

A column is flagged by two looks on different days, and a scheduled workflow begins each on a new machine. With a remote
store both are in it, too.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from slipway.monitoring.drift import Suspects
from slipway.monitoring.partitions import TOP, Log
from slipway.store.atomic import replace, unwritable
from slipway.store.local import LocalStore

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store

EVENT = "watch"  # of the journal
STATE = "watch.json"
KEPT = 60  # looks


class State(msgspec.Struct, frozen=True):
    """What earlier looks at a bundle left, the oldest first."""

    bundle: str = ""
    looks: tuple[Suspects, ...] = ()

    def with_looks(self, looks: Iterable[Suspects]) -> "State":
        """The same with more looks; of two that saw the same last day, the one given here stays."""
        found = {each.day: each for each in (*self.looks, *looks)}
        return State(self.bundle, tuple(found[day] for day in sorted(found)[-KEPT:]))


def recalled(log: Log, digest: str) -> State:
    """What looks at a bundle left; nothing by those at another one, nor by what is no such file."""
    try:
        return _read((log.root / STATE).read_bytes(), digest)
    except FileNotFoundError:
        return State(digest)


def remember(log: Log, state: State) -> None:
    """Keep it for the next look; StoreError when it cannot be written."""
    try:
        replace(log.root / STATE, msgspec.json.encode(state))
    except OSError as error:
        raise unwritable(log.root / STATE, error) from error


def exchange_state(log: Log, digest: str, remote: "S3Store") -> None:
    """Have all looks at a bundle in both places, also when several machines do this at once.

    Of two looks that saw the same last day, ours stays. What looks at another bundle left goes, as it does here.

    Raises
    ------
    StoreError
        When the remote store cannot be used, or the file cannot be written.
    """
    ours = recalled(log, digest)
    both = ours

    def change(content: bytes) -> bytes:
        nonlocal both
        both = _read(content, digest).with_looks(ours.looks)
        return msgspec.json.encode(both) if both.looks else content

    remote.update(TOP + STATE, change)
    if both != ours:
        remember(log, both)


def _read(content: bytes, digest: str) -> State:
    try:
        state = msgspec.json.decode(content, type=State)
    except msgspec.DecodeError:
        return State(digest)
    return state if state.bundle == digest else State(digest)


def journal_of(store: LocalStore, remote: "S3Store | None") -> list[dict[str, Any]]:
    """The lines of the journal, the oldest first; with a remote store those of all machines."""
    if remote is None:
        return store.journal.entries()
    from slipway.store.transfer import known_entries

    return known_entries(store, remote)


def push_looks(store: LocalStore, remote: "S3Store") -> None:
    """Add the lines of looks to the remote journal; StoreError when it cannot be changed."""
    from slipway.store.transfer import add_entries

    add_entries(remote, [each for each in store.journal.entries() if each.get("event") == EVENT])
