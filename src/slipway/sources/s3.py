"""Objects in S3 as the files of a table: listed by a glob, read range by range, never as another version of themselves."""

import io
import re
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow
from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody

from slipway.errors import StoreError, TableError
from slipway.sources.batches import Batches
from slipway.sources.files import PARQUET, Part, open_parts
from slipway.sources.source import S3
from slipway.store.remote import GET, LIST, attempts, connect, explained

STREAMED = 1 << 20  # bytes handed on at a time
GLOB = re.compile(r"(\*\*/)|(\*)|(\?)|(\[[^]]+\])|(.)", re.DOTALL)
CURES = {"NoSuchBucket": "There is no such bucket: create it, or correct its name"}


@dataclass(frozen=True)
class S3Objects:
    """The objects that ``s3://bucket/key`` names, a glob in the key."""

    location: str

    @property
    def where(self) -> str:
        return self.location

    @property
    def variables(self) -> tuple[str, ...]:
        return ()  # a role needs none

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> Batches:
        return open_parts(self.parts(), columns)

    def parts(self) -> list[Part]:
        return [_part(found) for found in objects(self.location)]

    def fingerprint(self) -> Iterator[bytes]:
        """Name, ETag and size of each object."""
        return (f"{each.key} {each.etag} {each.size}\n".encode() for each in objects(self.location))

    def ping(self) -> None:
        objects(self.location)


@dataclass(frozen=True)
class Found:
    """An object as the listing had it: reading another version of it is refused."""

    client: Any
    bucket: str
    key: str
    etag: str
    size: int

    @property
    def where(self) -> str:
        return f"{S3}{self.bucket}/{self.key}"


def objects(location: str) -> list[Found]:
    """The objects that ``s3://bucket/key`` names, a glob in the key, in sorted order.

    ``*`` stands for any text without a slash, ``**/`` for any folders.

    Raises
    ------
    TableError
        Naming bucket and key, and the right that is missing.
    """
    bucket, _, pattern = location.removeprefix(S3).partition("/")
    if not bucket or not pattern:
        raise TableError(f"{location}: names no object", "Write s3://bucket/prefix/*.parquet")
    start = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    wanted = re.compile(_expression(pattern))
    with _told(location):
        client = connect(location)
    found = []
    with _told(location, f"{LIST} on {_arn(client, bucket)}"):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start):
            found += [
                Found(client, bucket, each["Key"], each["ETag"], each["Size"])
                for each in page.get("Contents", [])
                if wanted.fullmatch(each["Key"])
            ]
    if not found:
        raise TableError(f"{location}: there is no such object", "A glob is written s3://bucket/prefix/*.parquet")
    return sorted(found, key=lambda each: each.key)


def _expression(pattern: str) -> str:
    kinds = ("(?:.*/)?", "[^/]*", "[^/]")
    said = []
    for folders, some, one, chosen, plain in GLOB.findall(pattern):
        said.append(
            next((kind for kind, given in zip(kinds, (folders, some, one)) if given), None)
            or (chosen.replace("[!", "[^", 1) if chosen else re.escape(plain))
        )
    return "".join(said)


def _part(found: Found) -> Part:
    """An object as a file of a table: CSV is read as it streams in; of Parquet the footer and the columns asked for."""

    def opened() -> pyarrow.NativeFile:
        ranges = found.where.lower().endswith(PARQUET)
        return pyarrow.PythonFile(Ranges(found) if ranges else io.BufferedReader(Stream(found), STREAMED), mode="r")

    return Part(found.where, found.size, opened, lambda: [found.etag])


class Ranges(io.RawIOBase):
    """An object as a file: every read is a GET of just these bytes."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._found.size if size < 0 else min(self._at + size, self._found.size)
        if self._at >= stop:
            return b""
        with _reading(self._found):
            for attempt in attempts():
                with closing(_get(self._found, f"bytes={self._at}-{stop - 1}")) as body, attempt:
                    content = _whole(body.read(), stop - self._at)
                    break
        self._at += len(content)
        return content


class Stream(io.RawIOBase):
    """An object from its start to its end; a lost connection is made again and goes on at the next byte."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._at = 0
        self._body: StreamingBody | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._found.size:
            return 0
        with _reading(self._found):
            for attempt in attempts():
                with attempt:
                    self._body = self._body or _get(self._found, f"bytes={self._at}-")
                    chunk = self._body.read(len(buffer))
                    _whole(chunk, max(1, len(chunk)))
                    break
                self._drop()
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def _get(found: Found, span: str) -> StreamingBody:
    return found.client.get_object(Bucket=found.bucket, Key=found.key, Range=span, IfMatch=found.etag)["Body"]


def _whole(content: bytes, size: int) -> bytes:
    """Refuse an answer that ends early without a sign of it."""
    if len(content) < size:
        raise IncompleteReadError(actual_bytes=len(content), expected_bytes=size)
    return content


@contextmanager
def _reading(found: Found) -> Iterator[None]:
    with _told(found.where, f"{GET} on {_arn(found.client, found.bucket)}/{found.key}"):
        yield


def _arn(client: Any, bucket: str) -> str:
    return f"arn:{client.meta.partition}:s3:::{bucket}"


@contextmanager
def _told(where: str, right: str = "") -> Iterator[None]:
    """What a failed call to S3 was about, as an error of the table."""
    try:
        with explained(where, right):
            yield
    except StoreError as error:
        cure = next((cure for code, cure in CURES.items() if code in error.cause), error.cure)
        raise TableError(error.cause, cure) from error
