"""What a box has of one service: the live release, the record of each release, their sockets, and its settings.

The link ``active.sock`` alone decides which release is live. Each release's record names the one that was live when it
took over, and is written before that: so the previous release is always known, whatever is killed at any time.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.model.document import parse
from slipway.release.request import require_form
from slipway.store.atomic import put, replace

ID = re.compile(r"[0-9a-f]{12}")
SERVICES = Path("etc/slipway/services")  # below the root; a folder for each
SETTINGS = "release.toml"
SOCKET = "web.sock"
USER = 10001  # of the image


@dataclass(frozen=True)
class Release:
    """A release on this box.

    Parameters
    ----------
    id : str
        12 hexadecimal digits; names its container, its record and its folder.
    digest, commit, run_number
        As requested.
    before : str or None
        Id of the release that was live when this one took over.
    at : str
        Time of the request: ISO 8601, UTC.
    """

    id: str
    digest: str
    commit: str
    run_number: int
    before: str | None
    at: str

    @property
    def container(self) -> str:
        return f"slipway-{self.id}"


@dataclass(frozen=True)
class Box:
    """One service on a box.

    Parameters
    ----------
    service : str
        Its name.
    root : Path
        Where the file system of the machine starts.
    """

    service: str
    root: Path = Path("/")

    @property
    def state(self) -> Path:
        return self.shared / "services" / self.service

    @property
    def shared(self) -> Path:
        """State of the whole machine."""
        return self.root / "var/lib/slipway"

    @property
    def lock(self) -> Path:
        """One for all services: a machine has memory for one swap at a time."""
        return self.shared / "lock"

    @property
    def configuration(self) -> Path:
        return self.root / SERVICES / self.service / SETTINGS

    @property
    def environment(self) -> Path:
        """Environment of the service's releases, as for ``docker run --env-file``."""
        return self.root / SERVICES / self.service / "service.env"

    @property
    def sockets(self) -> Path:
        return self.state / "sockets"

    @property
    def active(self) -> Path:
        return self.sockets / "active.sock"

    @property
    def records(self) -> Path:
        return self.state / "releases"

    @property
    def history(self) -> Path:
        return self.state / "history.jsonl"

    @property
    def draining(self) -> Path:
        """A folder with an empty file for every draining release, created when its draining began."""
        return self.state / "draining"

    @property
    def keys(self) -> Path:
        """A folder that every release can read: API keys that change while it runs."""
        return self.sockets / "keys"

    def share_keys(self) -> Path:
        """Create that folder, readable by the releases and closed to others."""
        self.keys.mkdir(exist_ok=True)
        os.chmod(self.keys, 0o750)
        os.chown(self.keys, 0, USER)
        return self.keys

    def folder(self, id: str) -> Path:
        return self.sockets / id

    def socket(self, id: str) -> Path:
        return self.folder(id) / SOCKET

    def live(self) -> str | None:
        """Id of the live release; None before the first."""
        try:
            target = Path(os.readlink(self.active))
        except FileNotFoundError:
            return None
        if len(target.parts) != 2 or not ID.fullmatch(target.parts[0]):
            raise ReleaseError(f"{self.active}: points to {target}, not to a release", "Remove it and deploy again")
        return target.parts[0]

    def point(self, id: str | None) -> None:
        """Send all new connections to the release `id`, atomically; with None, to none."""
        if id is None:
            self.active.unlink(missing_ok=True)
            return
        draft = self.sockets / ".active.unfinished"
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path(id) / SOCKET)
        put(draft, self.active)
        self.undrain(id)

    def remember(self, release: Release) -> None:
        """Write the record of a release and create its folders: that of its socket is writable by its user."""
        self.share_keys()
        self.records.mkdir(parents=True, exist_ok=True)
        folder = self.folder(release.id)
        folder.mkdir(exist_ok=True)
        os.chmod(folder, 0o711)
        os.chown(folder, USER, USER)
        replace(self.records / f"{release.id}.json", json.dumps(asdict(release)).encode() + b"\n")

    def record(self, id: str) -> Release | None:
        """The record of a release; None if it is missing or damaged."""
        try:
            found = parse((self.records / f"{id}.json").read_bytes())
            for name in ("digest", "commit", "run_number"):
                require_form(name, found[name])
            sound = set(found) == set(Release.__dataclass_fields__) and found["id"] == id
            return Release(**found) if sound and _is_id(found["before"]) and isinstance(found["at"], str) else None
        except (OSError, ValueError, KeyError, TypeError, ReleaseError):
            return None

    def chain(self) -> list[Release]:
        """The live release, the previous one, and so on, as far as there are records."""
        found: list[Release] = []
        id = self.live()
        while id and id not in {each.id for each in found} and (release := self.record(id)):
            found.append(release)
            id = release.before
        return found

    def drain(self, id: str) -> None:
        """Record that a release drains from now on, unless it already does."""
        self.draining.mkdir(exist_ok=True)
        if id not in self.drained():
            (self.draining / id).touch()

    def drains(self, id: str) -> float:
        """For how many seconds a release has been draining."""
        mark = self.draining / id
        return max(0.0, time.time() - mark.stat().st_mtime) if mark.exists() else 0.0

    def undrain(self, id: str) -> None:
        """A release no longer drains: it is live, the previous one, or gone."""
        (self.draining / id).unlink(missing_ok=True)

    def drained(self) -> list[str]:
        """Ids of all releases recorded as draining."""
        return sorted(path.name for path in self.draining.glob("*"))

    def restart_count(self, id: str) -> None:
        """Accept any run number after the release `id`."""
        replace(self.state / "restarted", f"{id}\n".encode())

    def restarted(self) -> str | None:
        """The release after which any run number is accepted."""
        try:
            return (self.state / "restarted").read_text().strip()
        except FileNotFoundError:
            return None

    def leave(self, id: str) -> None:
        """Remove the socket of a release whose container is gone."""
        shutil.rmtree(self.folder(id), ignore_errors=True)
        self.undrain(id)

    def forget(self, id: str) -> None:
        """Remove the socket and the record of a release whose container is gone."""
        self.leave(id)
        (self.records / f"{id}.json").unlink(missing_ok=True)

    def folders(self) -> list[str]:
        """Ids of all releases with a folder."""
        return sorted(path.name for path in self.sockets.iterdir() if ID.fullmatch(path.name))

    def recorded(self) -> list[str]:
        """Ids of all releases with a record, valid or not."""
        return sorted(path.stem for path in self.records.glob("*.json") if ID.fullmatch(path.stem))


def _is_id(value: object) -> bool:
    return value is None or isinstance(value, str) and ID.fullmatch(value) is not None


def kept(chain: Sequence[Release], count: int) -> list[Release]:
    """The releases of a chain to keep: live, previous, and older ones up to `count` images in total."""
    keep, digests = list(chain[:2]), {each.digest for each in chain[:2]}
    for each in chain[2:]:
        if each.digest not in digests and len(digests) >= count:
            break
        digests.add(each.digest)
        keep.append(each)
    return keep
