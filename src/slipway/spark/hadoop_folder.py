"""A Parquet folder on a file system of Hadoop, local disks among them, as a place for scored rows or rejects."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slipway.errors import TableError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

UNFINISHED, PREVIOUS = ".slipway-partial", ".slipway-previous"  # endings that no folder of anybody else has
DONE = "_SUCCESS"  # Spark leaves it in a complete folder, and other programs wait for it


@dataclass(frozen=True)
class HadoopFolder:
    """A folder, or a file of the same name that it replaces.

    Parameters
    ----------
    location : str
        A URL, such as ``hdfs://…`` or ``s3a://…``, or a path on the default file system.
    files : org.apache.hadoop.fs.FileSystem
        The one that has it; usable after the end of the session.
    path : callable
        str → ``org.apache.hadoop.fs.Path``.
    """

    location: str
    files: Any
    path: Any

    @property
    def identity(self) -> str:
        """The same for each way to write the same location."""
        return self._resolved("")

    @property
    def identities(self) -> tuple[str, ...]:
        """All by which its rows can be read."""
        return (self.identity,)

    @property
    def owned(self) -> tuple[str, ...]:
        """The identities of all that a run replaces or removes."""
        return self.identity, self._resolved(UNFINISHED), self._resolved(PREVIOUS)

    def tidy(self) -> None:
        """Remove what an unfinished run left; what it had already moved out of the way comes back."""
        here, before = self.path(self.location), self.path(self.location + PREVIOUS)
        with _told(self.location):
            if self.files.exists(before):
                if self.files.exists(here):
                    self.files.delete(before, True)
                else:
                    self._move(before, here)
            self.files.delete(self.path(self.location + UNFINISHED), True)

    def stage(self, frame: "DataFrame", by: str) -> "DataFrame":
        """Write a frame beside the folder, a part for each value of its last column, `by`; the frame as it was written."""
        unfinished = self.location + UNFINISHED
        frame.write.partitionBy(by).parquet(unfinished)
        return frame.sparkSession.read.schema(frame.schema).parquet(unfinished)

    def put_staged(self, staged: "DataFrame", by: str, count: int) -> None:
        """Replace the folder by the staged rows whose `by` is false, which are so many."""
        part = self.path(f"{self.location}{UNFINISHED}/{by}=false")
        if not count:
            empty = staged.drop(by).limit(0)
            self.tidy()
            self.put(empty)
        elif self.files.exists(part):
            self._replace(part)
        else:
            raise TableError(f"{part.toString()}: {count:,} rows were written there, and are gone")

    def put(self, frame: "DataFrame") -> None:
        """Replace the folder by a frame."""
        frame.write.parquet(self.location + UNFINISHED)
        self._replace(self.path(self.location + UNFINISHED))

    def _replace(self, folder: Any) -> None:
        """No file system of Hadoop swaps two folders, so for a moment there is neither; `tidy` mends an end just then."""
        here = self.path(self.location)
        with _told(self.location):
            self.files.create(self.path(folder, DONE), True).close()
            if self.files.exists(here):
                self._move(here, self.path(self.location + PREVIOUS))
            self._move(folder, here)
        self.tidy()

    def _resolved(self, ending: str) -> str:
        return resolved(str(self.files.makeQualified(self.path(self.location + ending)).toString()))

    def _move(self, old: Any, new: Any) -> None:
        if not self.files.rename(old, new):
            raise TableError(f"{old.toString()}: cannot be renamed to {new.toString()}", "May you write there?")


def resolved(url: str) -> str:
    """The one way to write a qualified URL, without its percent escapes; on local disks without symbolic links, too."""
    local = "file:"
    return local + os.path.realpath("/" + url.removeprefix(local).lstrip("/")) if url.startswith(local) else url


def folder_at(session: "SparkSession", location: str) -> HadoopFolder:
    """The folder at a location, with or without something there."""
    jvm: Any = session._jvm
    path = jvm.org.apache.hadoop.fs.Path
    location = location.rstrip("/")
    with _told(location):
        return HadoopFolder(location, path(location).getFileSystem(session._jsc.hadoopConfiguration()), path)


@contextmanager
def _told(location: str) -> Iterator[None]:
    """What a file system refuses, as TableError of one line."""
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except Py4JJavaError as error:
        told = str(error.java_exception.toString()).partition("\n")[0]
        cure = f"Write {location.replace('s3', 's3a', 1)}" if 'for scheme "s3"' in told else ""
        raise TableError(f"{location}: {told}", cure) from error
