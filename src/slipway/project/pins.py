"""Locked requirements: the files that pip installs with --require-hashes, as entries that can be added and merged."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

SLIPWAY = "slipway-ml"
LOGICAL = re.compile(r"(?P<above>(?:^#.*\n)*)(?P<lines>^(?![#\s])(?:\\\n|.)+)", re.MULTILINE)  # with the lines it continues on
NAMED = r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?"
PIN = re.compile(NAMED + r" *== *(?P<version>[^ ;\\]+)(?: *; *(?P<marker>(?:(?! *--hash| *\\).)+))?")
VENDORED = re.compile(r"\./vendor/slipway_ml-(?P<version>[^-]+)-\S+\.whl")


@dataclass(frozen=True)
class Pin:
    """One requirement of a lock.

    Parameters
    ----------
    version : str
        The part behind ``==``; the whole requirement where it has none.
    lines : str
        As in the file, with comments above it; without those that a compiler of locks writes below.
    """

    version: str
    lines: str


Pins = Mapping[str, Pin]


def read_pins(text: str) -> dict[str, Pin]:
    """The requirements of a lock in their order, by name, with the marker if there is one; Slipway's under `SLIPWAY`."""
    found = {}
    for logical in LOGICAL.finditer(text.replace("\r\n", "\n")):
        lines = logical["lines"].rstrip()
        above = logical["above"] if logical.start() else ""  # the comment at the top is the file's own
        pin, vendored = PIN.match(lines), VENDORED.match(lines)
        if vendored:
            found[SLIPWAY] = Pin(vendored["version"], above + lines)
        elif pin:
            name = re.sub("[-_.]+", "-", pin["name"]).lower()
            found[f"{name} ; {pin['marker']}" if pin["marker"] else name] = Pin(pin["version"], above + lines)
        else:
            found[lines] = Pin(lines, above + lines)
    return found


def closing(text: str) -> str:
    """The comments below the last requirement of a lock, without those of a compiler, which are indented."""
    text = text.replace("\r\n", "\n")
    last = max((logical.end() for logical in LOGICAL.finditer(text)), default=len(text))
    return "".join(f"{line}\n" for line in text[last:].split("\n") if line.startswith("#"))


def lock_text(title: str, pins: Pins, slipway: str, end: str = "") -> str:
    """A lock with a comment at its top, and at its end Slipway's own line and the comments that were there."""
    others = [pins[name].lines for name in sorted(pins) if name != SLIPWAY]
    return "\n".join([title, *others, slipway, end])


def packaged(name: str) -> str:
    """A lock that Slipway was tested with, such as ``requirements.txt``: from the package, or from the checkout it runs in."""
    inside = files("slipway.project") / "locks" / name
    return (inside if inside.is_file() else Path(__file__).parents[3] / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Merged:
    """The pins after an upgrade.

    Parameters
    ----------
    pins : mapping
    changes : tuple of str
        What differs from the pins of the person, such as ``flask 3.1.2 → 3.1.3``.
    kept : tuple of str
        What the person had changed themselves and Slipway would have changed too, such as ``flask 3.1.4, not 3.1.3``.
    """

    pins: Pins
    changes: tuple[str, ...]
    kept: tuple[str, ...]


def merge_pins(base: Mapping[str, str], yours: Pins, new: Pins) -> Merged:
    """Bring the pins of a person up to date: what they added, raised or removed stays.

    Parameters
    ----------
    base : mapping
        Name → version as it was generated before.
    yours, new : mapping
        The pins as they are now, and as they are generated now.
    """
    pins, changes, kept = {}, [], []
    for name in sorted({*yours, *new}):
        mine, theirs, before = yours.get(name), new.get(name), base.get(name)
        touched = (mine.version if mine else None) != before
        moved = (theirs.version if theirs else None) != before
        chosen = mine if touched and name != SLIPWAY else theirs
        if chosen:
            pins[name] = chosen
        if _version(chosen) != _version(mine):
            changes.append(f"{name} {_version(mine)} → {_version(chosen)}")
        elif touched and moved and _version(mine) != _version(theirs):
            kept.append(f"{name} {_version(mine)}, not {_version(theirs)}")
    return Merged(pins, tuple(changes), tuple(kept))


def _version(pin: Pin | None) -> str:
    return pin.version if pin else "absent"
