"""The journal: an append-only record of every verdict, promotion and rollback, one JSON object per line.

The remote store's journal also has every release (`slipway.store.transfer`).
"""

import getpass
import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.errors import StoreError
from slipway.model.bundle import Bundle
from slipway.model.document import parse, read_plain
from slipway.store.atomic import locked, sync_folder, unwritable


@dataclass(frozen=True)
class Journal:
    """The journal in one file."""

    path: Path

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an entry and flush it to the disk; an incomplete line of a crash is terminated first."""
        line = to_line(entry)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path.parent):
                self._add(line)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _add(self, line: bytes) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            while line:  # a nearly full disk accepts a part of it, and refuses the rest
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if not size:  # a file made just now is lost in a power cut unless its folder knows it
            sync_folder(self.path.parent)

    def entries(self) -> list[dict[str, Any]]:
        """All entries, the oldest first; incomplete lines are skipped."""
        try:
            content = read_plain(self.path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read ({error.strerror})") from error
        return read_entries(content)

    def last_verdict(self) -> dict[str, Any]:
        """What the last training ended with; empty before the first."""
        return next((each for each in reversed(self.entries()) if each.get("event") == "verdict"), {})


def to_line(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line of a journal's file; text that is not UTF-8, e.g. in a user's name, is escaped as in JSON."""
    return json.dumps(entry, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def read_entries(content: bytes) -> list[dict[str, Any]]:
    """The entries of a journal's file, the oldest first; invalid lines are skipped."""
    found = []
    for line in content.splitlines():
        try:
            each = parse(line)
        except ValueError:
            continue
        if isinstance(each, dict):
            found.append(each)
    return found


def entry(event: str, bundle: Bundle, champion: str | None, verdict: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An entry about a bundle, with the time and who made it.

    Parameters
    ----------
    event : str
        ``verdict``, ``promote`` or ``rollback``.
    champion : str or None
        Digest of the previous champion.
    verdict : mapping
        ``outcome`` and ``reasons``.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": _who(),
        "event": event,
        "problem": bundle.problem,
        "digest": bundle.digest,
        "champion": champion,
        **verdict,
        **more,
    }


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def champions(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Digests of the champions available for a rollback, the present one last.

    A promotion adds its bundle; a rollback removes the last one, so that two in a row go back two steps. The
    champion before a promotion counts too: it may have come, or come back, with a commit.
    """
    history: list[str] = []
    for entry in entries:
        digest, before = entry.get("digest"), entry.get("champion")
        if not isinstance(digest, str):
            continue
        if entry.get("event") == "rollback":
            _return_to(digest, history)
        elif entry.get("event") in ("verdict", "promote") and entry.get("outcome") == "promoted":
            if isinstance(before, str):
                _return_to(before, history)
            if not history or history[-1] != digest:
                history.append(digest)
    return history


def _return_to(digest: str, history: list[str]) -> None:
    if digest in history:
        while history[-1] != digest:
            history.pop()
    else:
        history.append(digest)
