"""A new repository in a folder: nothing that is there is changed without being told."""

from collections.abc import Mapping
from pathlib import Path

from slipway.errors import ProjectError
from slipway.project.generated import FILE
from slipway.project.pins import lock_text
from slipway.project.repository import Repository, lock_title
from slipway.store.atomic import replace, unwritable

SHOWN = 5


def contents(made: Repository, own: Mapping[str, bytes]) -> dict[str, bytes]:
    """Path → content of all files of a new repository; the record comes last: with it the repository is whole.

    Parameters
    ----------
    made : Repository
    own : mapping
        Files that are the person's from the first day, such as slipway.yaml: no upgrade touches them.
    """
    locks = {path: lock_text(lock_title(path), pins, made.origin.line).encode() for path, pins in made.locks.items()}
    templates = {path: file.text.encode() for path, file in made.files.items()}
    empty = {"artifacts/.gitkeep": b"", f"src/{made.answers.package}/__init__.py": b""}
    return {**made.wheels, **locks, **templates, **empty, **own, FILE: made.record().to_bytes()}


def in_the_way(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """The files of a folder that would be overwritten with another content."""
    return [path for path, content in files.items() if _differs(folder / path, content)]


def _differs(path: Path, content: bytes) -> bool:
    return path.is_symlink() or (path.exists() and not (path.is_file() and path.read_bytes() == content))


def require_free(folder: Path, files: Mapping[str, bytes]) -> None:
    """ProjectError if files would be overwritten; nothing is written then."""
    blocked = in_the_way(folder, files)
    if blocked:
        more = f" and {len(blocked) - SHOWN} more" if len(blocked) > SHOWN else ""
        says = f"{folder} already has {', '.join(blocked[:SHOWN])}{more}"
        raise ProjectError(says, "Nothing was written. Add --force to overwrite them, or choose another name")


def write(folder: Path, made: Repository, files: Mapping[str, bytes]) -> None:
    """Write all files, each as a whole; ProjectError if the folder cannot be written."""
    programs = {path for path, file in made.files.items() if file.program}
    for path, content in files.items():
        put_file(folder / path, content, path in programs)


def put_file(path: Path, content: bytes, program: bool = False) -> None:
    """Write one file as a whole, with the folders above it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
        if program:
            path.chmod(0o755)
    except OSError as error:
        raise unwritable(path, error, ProjectError) from error
