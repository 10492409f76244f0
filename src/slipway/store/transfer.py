"""Copies bundles and journal entries between the local and the remote store."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from slipway.errors import BundleError, StoreError
from slipway.model.bundle import JUDGING, LISTS, MANIFEST, Bundle, read_list, read_manifest
from slipway.model.document import parse
from slipway.store.journal import entry, read_entries, to_line
from slipway.store.local import LocalStore
from slipway.store.remote import S3Store

JOURNAL = "journal.jsonl"
LARGEST_LIST = 1 << 20  # bytes
# told of every file: its number, how many there are, name, size in bytes, and what is done; "…" at the end: not yet
Tell = Callable[[int, int, str, int, str], None]
OUTCOMES = ("success", "failure", "cancelled", "rejected")
COUNT = ("an integer of 1 or more", lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1)
RELEASE: dict[str, tuple[str, Callable[[Any], object]]] = {
    "key": ("a text", lambda value: isinstance(value, str) and value.strip()),
    "digest": (
        "sha256: and 64 hexadecimal digits",
        lambda value: isinstance(value, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", value),
    ),
    "commit": ("40 hexadecimal digits", lambda value: isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40}", value)),
    "run_number": COUNT,
    "run_attempt": COUNT,
    "outcome": (f"one of {', '.join(OUTCOMES)}", lambda value: value in OUTCOMES),
}


def push(store: LocalStore, remote: S3Store, digest: str, tell: Tell) -> Bundle:
    """Copy a bundle to the remote store, its manifest last: until then readers do not see the bundle.

    Raises
    ------
    BundleError
        If the bundle is missing or damaged here.
    StoreError
        If the remote store cannot be read or written. The next push skips what was copied.
    """
    bundle = store.bundle(digest)
    if bundle.damage:
        raise bundle.damage
    sums = {name: listed["sha256"] for name, listed in bundle.files.items()} | {MANIFEST: digest}
    there = remote.sizes(f"bundles/{digest}/")
    for number, (name, wanted) in enumerate(sums.items(), 1):
        content = bundle.read(name) if name != MANIFEST else (bundle.folder / name).read_bytes()
        key = f"bundles/{digest}/{name}"
        if there.get(key) == len(content) and remote.holds(key, wanted):
            tell(number, len(sums), name, len(content), "there already")
            continue
        tell(number, len(sums), name, len(content), "uploading …")
        remote.write(key, content, wanted)
        done = "different object replaced" if key in there else "uploaded"
        tell(number, len(sums), name, len(content), done)
    return bundle


def pull(store: LocalStore, remote: S3Store, digest: str, tell: Tell) -> str:
    """Fetch a bundle, all or nothing; returns what was done.

    Where only the part that serves is here, as git carries it, the part that judged is fetched if the remote store has it.

    Raises
    ------
    StoreError
        If the bundle does not exist, an object differs from its manifest, or either store cannot be used.
    BundleError
        If a newer Slipway wrote the bundle.
    """
    try:
        bundle = store.bundle(digest)
        if bundle.whole:
            return "there already"
        done, there = "repaired" if bundle.damage else "completed", remote.sizes(f"bundles/{digest}/")
        if f"bundles/{digest}/{LISTS[JUDGING]}" not in there:
            return f"there already; {remote} has no part that judged it"
    except BundleError:
        done = "repaired" if os.path.lexists(store.bundles / digest) else "fetched"
        there = remote.sizes(f"bundles/{digest}/")
    store.keep(digest, _files(remote, digest, there, tell))
    return done


def _files(remote: S3Store, digest: str, there: Mapping[str, int], tell: Tell) -> dict[str, bytes]:
    """The verified files of a bundle, its lists and manifest included; `there` are the sizes of the objects."""
    folder = f"bundles/{digest}/"
    if folder + MANIFEST not in there:
        raise remote.absent(digest)
    found = {MANIFEST: _small(remote, folder + MANIFEST, digest, there)}
    manifest = read_manifest(found[MANIFEST], remote.where(folder + MANIFEST))
    listed = dict(manifest.files or {})
    for part, wanted in manifest.lists.items():
        key = folder + LISTS[part]
        if part == JUDGING and key not in there:
            continue
        found[LISTS[part]] = _small(remote, key, wanted, there)
        listed |= read_list(found[LISTS[part]], remote.where(key))
    for number, (name, each) in enumerate(listed.items(), 1):
        key = folder + name
        if key not in there:
            raise _wrong(remote, key, "absent")
        if there[key] != each["bytes"]:
            raise _wrong(remote, key, f"{there[key]} bytes instead of {each['bytes']}")
        tell(number, len(listed), name, each["bytes"], "downloading …")
        found[name] = _verified(remote, key, each["sha256"])
        tell(number, len(listed), name, each["bytes"], "downloaded")
    return found


def _small(remote: S3Store, key: str, wanted: str, there: Mapping[str, int]) -> bytes:
    """A manifest or a list, verified; nothing says their size."""
    if key not in there:
        raise _wrong(remote, key, "absent")
    if there[key] > LARGEST_LIST:
        raise _wrong(remote, key, f"{there[key]} bytes")
    return _verified(remote, key, wanted)


def _verified(remote: S3Store, key: str, wanted: str) -> bytes:
    for _ in range(2):  # the second time, it was not the way here
        content = remote.read(key)
        if sha256(content).hexdigest() == wanted:
            return content
    raise _wrong(remote, key, "SHA-256 differs")


def _wrong(remote: S3Store, key: str, how: str) -> StoreError:
    return StoreError(
        f"{remote.where(key)}: is not the file of the bundle ({how})",
        "Run slipway push on a machine with an intact copy: it replaces the object",
    )


def remote_entries(remote: S3Store) -> list[dict[str, Any]]:
    """The entries of the remote journal, the oldest first; StoreError if it cannot be read."""
    return read_entries(remote.read(JOURNAL)) if JOURNAL in remote.sizes(JOURNAL) else []


def known_entries(store: LocalStore, remote: S3Store) -> list[dict[str, Any]]:
    """The entries of both journals, the oldest first; one that both have is there once."""
    there = remote_entries(remote)
    return sorted([*there, *map(dict, _lacking(store.journal.entries(), there))], key=lambda each: str(each.get("at", "")))


def add_entries(remote: S3Store, entries: Iterable[Mapping[str, Any]]) -> int:
    """Append missing entries to the remote journal, in one step; returns their number.

    Raises
    ------
    StoreError
        If the journal cannot be read or written. Nothing is lost, and nothing is added twice.
    """
    wanted = list(entries)
    added: list[Mapping[str, Any]] = []

    def change(content: bytes) -> bytes:
        nonlocal added
        added = _lacking(wanted, read_entries(content))
        lines = [to_line(each) for each in added]
        gap = b"\n" if lines and content and not content.endswith(b"\n") else b""
        return content + gap + b"".join(lines)

    remote.update(JOURNAL, change)
    return len(added)


def _lacking(wanted: Iterable[Mapping[str, Any]], present: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Entries of `wanted` that are not present, in order; of identical entries, as many as are missing."""
    known = Counter(_identity(each) for each in present)
    lacking = []
    for each in wanted:
        identity = _identity(each)
        if known[identity]:
            known[identity] -= 1
        else:
            lacking.append(each)
    return lacking


def _identity(each: Mapping[str, Any]) -> str:
    """What identifies an entry: all of it; for a release only what was released, not when and by whom."""
    told = {key: each.get(key) for key in ("event", *RELEASE)} if each.get("event") == "release" else each
    return json.dumps(told, sort_keys=True)


def released(bundle: Bundle, content: bytes, where: str) -> dict[str, Any]:
    """The entry of a release.

    Parameters
    ----------
    bundle : Bundle
        The bundle in the image.
    content : bytes
        JSON with the release's ``key``, the image's ``digest``, its ``commit``, the workflow's ``run_number`` and
        ``run_attempt``, and the ``outcome`` of the deployment.
    where : str
        For messages.

    Raises
    ------
    StoreError
        Names what was expected.
    """
    try:
        release = parse(content)
    except ValueError as error:
        raise StoreError(f"{where}: not JSON ({error})", "Use the file that the workflow's last job writes") from error
    if not isinstance(release, dict) or set(release) != set(RELEASE):
        raise StoreError(f"{where}: expected the keys {', '.join(RELEASE)}")
    for key, (expected, fits) in RELEASE.items():
        if not fits(release[key]):
            raise StoreError(f"{where}: {key}: expected {expected}, got {str(release[key])[:80]!r}")
    noted = entry("release", bundle, None, release | {"bundle": bundle.digest})
    del noted["champion"]  # a release takes none from its place
    return noted
