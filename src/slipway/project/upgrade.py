"""From the files that one version generated to those of another: a plan that can be shown, and its execution."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import ProjectError
from slipway.project.creation import put_file
from slipway.project.distribution import VENDOR
from slipway.project.generated import FILE, Generated
from slipway.project.pins import closing, lock_text, merge_pins, read_pins
from slipway.project.rendering import File
from slipway.project.repository import Repository, lock_title
from slipway.store.atomic import unwritable

MARKER = "<<<<<<< "
CALLED = re.compile(r"^\s*uses: \./(?P<path>\.github/workflows/\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """What happens to one file.

    Parameters
    ----------
    path : str
    says : str
        For a person.
    before, after : bytes or None
        Its content; None when there is no file.
    lines : tuple of str
        What changes, where a comparison of lines would not tell it.
    conflict : bool
        Whether `after` has conflict markers.
    """

    path: str
    says: str
    before: bytes | None
    after: bytes | None
    lines: tuple[str, ...] = ()
    conflict: bool = False
    program: bool = False


@dataclass(frozen=True)
class Plan:
    """What an upgrade does.

    Parameters
    ----------
    changes : tuple of Change
    kept : tuple of str
        What the new version generates otherwise and stays all the same, each with the reason.
    edited : tuple of str
        The generated files that a person edited or removed.
    record : Generated
        The next one.
    """

    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    edited: tuple[str, ...]
    record: Generated

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The files that will have conflict markers."""
        return tuple(change.path for change in self.changes if change.conflict)


def plan(folder: Path, before: Generated, made: Repository) -> Plan:
    """Compare the files in a folder with those generated before and now; nothing is written.

    Raises
    ------
    ProjectError
        If a file cannot be read, has unresolved conflict markers, or is in the place of a workflow that a generated one calls.
    """
    called = {path for file in made.files.values() for path in CALLED.findall(file.text)}
    changes = list(_wheels(folder, made))
    kept: list[str] = []
    edited: list[str] = []
    for path in sorted({*made.files, *before.files}):
        yours = _resolved(folder, path)
        if path in made.files and yours not in (made.files[path].text, before.text(path)):
            edited.append(path)
        if path in called and before.text(path) is None and yours not in (None, made.files[path].text):
            raise ProjectError(
                f"{path}: yours is in the place of a workflow that Slipway's main.yaml calls",
                "Nothing was written. Rename yours, then run slipway upgrade again",
            )
        change = _file(path, yours, before, made)
        if isinstance(change, Change):
            changes.append(change)
        elif change:
            kept.append(change)
    for path, new in made.locks.items():
        old = _resolved(folder, path)
        if old is None and path in before.pins:
            edited.append(path)
            kept.append(f"{path}: you removed it; it stays removed")
            continue
        pins = read_pins(old or "")
        if {name: pin.version for name, pin in pins.items()} != before.pins.get(path):
            edited.append(path)
        merged = merge_pins(before.pins.get(path, {}), pins, new)
        if merged.pins != pins:
            text = lock_text(lock_title(path), merged.pins, made.origin.line, closing(old or ""))
            changes.append(Change(path, "new" if old is None else "changed", _bytes(old), _encoded(text), merged.changes))
        kept += [f"{path}: {says}" for says in merged.kept]
    return Plan(tuple(changes), tuple(kept), tuple(edited), made.record())


def _wheels(folder: Path, made: Repository) -> Iterator[Change]:
    """The wheel to add, and those that no lock will name."""
    for path, content in made.wheels.items():
        old = (folder / path).read_bytes() if (folder / path).is_file() else None
        if old != content:
            yield Change(path, "new" if old is None else "changed", old, content, ("the wheel of this Slipway",))
    for wheel in sorted((folder / VENDOR).glob("slipway_ml-*.whl")):
        path = f"{VENDOR}/{wheel.name}"
        if path not in made.wheels:
            yield Change(path, "removed", b"", None)


def _file(path: str, yours: str | None, before: Generated, made: Repository) -> Change | str | None:
    """What happens to a file from a template, or why it stays; None when there is nothing to say."""
    base, file = before.text(path), made.files.get(path)
    new = file.text if file else None
    if new in (yours, base):
        return None
    if new is None:
        if yours is None:
            return None
        return Change(path, "removed", _bytes(yours), None) if yours == base else f"{path}: no longer generated; yours stays"
    if yours is None and base is not None:
        return f"{path}: you removed it; it stays removed"
    if base is None and yours is not None:
        return f"{path}: new in this version; yours stays"
    program = file.program if file else False
    if yours is None or base is None or yours == base:
        return Change(path, "new" if yours is None else "changed", _bytes(yours), new.encode(), program=program)
    return _merge(path, yours, base, File(new, program), before.version, made.record().version)


def _merge(path: str, yours: str, base: str, new: File, old_version: str, new_version: str) -> Change | str:
    """A three-way merge, as git does it."""
    with tempfile.TemporaryDirectory() as place:
        sides = [Path(place, name) for name in ("yours", "base", "new")]
        for side, text in zip(sides, (yours, base, new.text)):
            side.write_bytes(_encoded(text))
        labels = ("yours", f"Slipway {old_version}", f"Slipway {new_version}")
        named = [part for label in labels for part in ("-L", label)]
        try:
            done = subprocess.run(["git", "merge-file", "-p", "--diff3", *named, *sides], capture_output=True)
        except OSError as error:
            raise ProjectError(f"git cannot be run ({error.strerror})", "Install git: it merges your edits") from error
    if done.returncode > 127:
        raise ProjectError(f"{path}: git cannot merge it: {done.stderr.decode(errors='replace').strip()}")
    if done.stdout == _encoded(yours):
        return f"{path}: has these changes already"
    says = "CONFLICT with your edits" if done.returncode else "changed; your edits are kept"
    return Change(path, says, _encoded(yours), done.stdout, conflict=done.returncode > 0, program=new.program)


def apply(folder: Path, planned: Plan) -> None:
    """Write a plan; run again after a crash, it goes on where it was.

    What a lock names comes before the lock, files with conflicts after all others, and the record last.
    """
    written = [change for change in planned.changes if change.after is not None]
    for change in sorted(written, key=lambda change: change.conflict):
        put_file(folder / change.path, change.after or b"", change.program)
    for change in planned.changes:
        if change.after is None:
            try:
                (folder / change.path).unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(folder / change.path, error, ProjectError) from error
    put_file(folder / FILE, planned.record.to_bytes())


def _resolved(folder: Path, path: str) -> str | None:
    """The text of a file without conflict markers; None if there is no such file."""
    text = _text(folder / path)
    if text and any(line.startswith(MARKER) for line in text.splitlines()):
        raise ProjectError(f"{path}: has conflict markers", "Resolve them first, then run slipway upgrade again")
    return text


def _text(path: Path) -> str | None:
    """None if there is no such file; bytes that are no UTF-8 survive."""
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read ({error.strerror})") from error


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else _encoded(text)
