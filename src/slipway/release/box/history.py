"""All events on a box, in order: history.jsonl, complete even if a run is killed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.box.state import Release
from slipway.store.journal import Journal

LATE = "recorded later: its run ended first"
NAMED = ("digest", "commit", "run_number")


@dataclass(frozen=True)
class History:
    """The history in one file.

    Parameters
    ----------
    path : Path
    say : callable
        Called with what could not be written.
    """

    path: Path
    say: Callable[[str], None]

    def note(self, event: str, release: Release, **more: object) -> None:
        """Add an event of a release.

        Raises
        ------
        ReleaseError
            If not even the start can be recorded: it is better to notice a full disk before anything changes.
        """
        self._append({"event": event, "release": release.id} | {name: asdict(release)[name] for name in NAMED} | more)

    def complete(self, live: Release | None) -> None:
        """Record what a killed run did not; only the run that holds the box's lock may call this."""
        try:
            noted = self.entries()
        except SlipwayError as error:
            return self.say(f"warning: {error}")
        for each in missing(noted, live):
            self._append(each)

    def entries(self) -> list[dict[str, Any]]:
        """All events, the oldest first."""
        return Journal(self.path).entries()

    def _append(self, entry: Mapping[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            Journal(self.path).append({**entry, "at": at})
        except SlipwayError as error:
            if entry["event"] == "start":
                raise ReleaseError(error.cause, error.cure) from error
            self.say(f"warning: {error}")


def missing(entries: Sequence[Mapping[str, Any]], live: Release | None) -> list[dict[str, Any]]:
    """Events that happened but have no entry.

    Parameters
    ----------
    live : Release or None
        The release that answers now.
    """
    found = []
    id = live.id if live else None
    last = _last(entries, "start", "live", "rollback", "failed")
    if last and last.get("event") == "start" and last.get("release") != id:
        found.append({**last, "event": "failed", "reason": LATE})
    served = _last(entries, "live", "rollback")
    if live and (served is None or served.get("release") != id):
        again = any(each.get("event") == "live" and each.get("release") == id for each in entries)
        named = {name: asdict(live)[name] for name in NAMED}
        found.append({"event": "rollback" if again else "live", "release": id, **named, "reason": LATE})
    return found


def _last(entries: Sequence[Mapping[str, Any]], *events: str) -> Mapping[str, Any] | None:
    return next((each for each in reversed(entries) if each.get("event") in events), None)
