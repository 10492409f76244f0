"""Where a batch writes: unfinished files that grow, and the step that puts them in their place."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from slipway.errors import TableError
from slipway.sources.source import S3
from slipway.store.atomic import put, unwritable


class Growth(Protocol):
    """What a batch appends to; what is behind its last mark can be cut off again."""

    @property
    def size(self) -> int:
        """Bytes that are there."""

    def append(self, content: Any) -> None:
        """Write what an output of the same kind encoded."""

    def cut(self, size: int) -> None:
        """Leave the first `size` bytes."""

    def sync(self) -> None:
        """Return once what was appended outlives a power cut."""


class Target(Protocol):
    """Where answers go: a `Place` for a file, or a collection."""

    @property
    def location(self) -> str: ...

    @property
    def unfinished(self) -> Path: ...

    @property
    def grows_in_sight(self) -> bool:
        """Whether readers see each block as soon as it is appended."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be put there."""

    def holds(self, size: int) -> bool:
        """Whether this many bytes of what is unfinished are there."""

    def grow(self, size: int) -> AbstractContextManager[Growth]:
        """What is appended to, cut to `size` bytes."""

    def discard(self) -> None:
        """Leave nothing unfinished behind."""

    def put(self, file: Path) -> None:
        """Put what is finished there."""


@dataclass(frozen=True)
class Place:
    """Where a file is to be in the end, and where it grows until then.

    Parameters
    ----------
    location : str
        A path, or ``s3://bucket/key``.
    unfinished : Path
        On this machine, so that a run that is killed can go on.
    """

    location: str
    unfinished: Path
    grows_in_sight = False

    def holds(self, size: int) -> bool:
        """Whether this many bytes of the unfinished file are there."""
        return self.unfinished.is_file() and self.unfinished.stat().st_size >= size

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be put there."""
        return not self.unfinished.exists() and (self.location.startswith(S3) or Path(self.location).exists())

    def grow(self, size: int) -> AbstractContextManager["Growing"]:
        """The unfinished file, cut to `size` bytes."""
        return growing(self.unfinished, size)

    def discard(self) -> None:
        """Leave nothing unfinished behind."""
        self.unfinished.unlink(missing_ok=True)

    def put(self, file: Path) -> None:
        """Put a finished file there in one step: readers see the old or the new, never a part."""
        if self.location.startswith(S3):
            from slipway.batch.s3_target import upload

            upload(file, self.location)
            file.unlink()
        else:
            try:
                put(file, Path(self.location))
            except OSError as error:
                raise unwritable(Path(self.location), error, TableError) from error
        self.unfinished.unlink(missing_ok=True)


def place(location: str, folder: Path) -> Place:
    """The place of a file, where it may be written; what belongs elsewhere grows in `folder`."""
    if location.startswith(S3):
        if not all(location.removeprefix(S3).partition("/")):
            raise TableError(f"{location}: names no object", "Write s3://bucket/key")
        from slipway.batch.s3_target import check

        check(location)
        return Place(location, state(location, folder))
    if "://" in location or location.startswith(("mongodb:", "sql:")):
        raise TableError(f"{location}: is no file", "Name a path, or s3://bucket/key")
    path = Path(location)
    if path.is_dir():
        raise TableError(f"{location}: is a folder", "Name a file in it")
    if not path.parent.is_dir():
        raise TableError(f"{path.parent}: there is no such folder", f"Make it: mkdir -p {path.parent}")
    return Place(location, path.with_name(f"{path.name}.partial"))


def state(location: str, folder: Path) -> Path:
    """Where on this machine is kept what belongs to an output elsewhere."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error, TableError) from error
    return folder / f"{sha256(location.encode()).hexdigest()[:16]}.partial"


@dataclass
class Growing:
    """A file that is appended to, from a mark on."""

    path: Path
    file: FileIO
    size: int

    def append(self, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self.file.write(rest) :]
        except OSError as error:
            raise unwritable(self.path, error, TableError) from error
        self.size += len(content)

    def cut(self, size: int) -> None:
        """Leave the first `size` bytes."""
        self.file.truncate(size)
        self.size = size

    def sync(self) -> None:
        """Force it to the disk."""
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            raise unwritable(self.path, error, TableError) from error


@contextmanager
def growing(path: Path, size: int) -> Iterator[Growing]:
    """The file `path`, cut to `size` bytes."""
    try:
        file = path.open("ab", buffering=0)  # what was appended is in no buffer that a full disk does not take
    except OSError as error:
        raise unwritable(path, error, TableError) from error
    with file:
        file.truncate(size)
        yield Growing(path, file, size)


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Be the only run that has the lock `path`, TableError naming `what` otherwise; the system frees it with its process."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(path, error, TableError) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise TableError(f"{what}: another run is writing it", "Wait for it to end, or write to another file") from error
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            break
        os.close(handle)  # of a run that just ended and took the file away
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
