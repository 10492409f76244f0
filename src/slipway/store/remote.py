"""The remote store: objects below ``s3://bucket/prefix``, in the layout of the local store.

It lists, reads and writes, and deletes nothing but files of the log. It checks by listing whether an object exists: without
permission to list the whole bucket, S3 answers a read of a missing object with "access denied".
"""

import os
import random
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from slipway.errors import StoreError
from slipway.model.bundle import DIGEST, MANIFEST
from slipway.problem import Problem
from slipway.store.digests import find

try:
    import boto3
    from botocore import exceptions as boto
    from botocore.config import Config
    from botocore.parsers import ResponseParserError
except ImportError as error:
    raise StoreError(f"{error.name} is not installed", "pip install -r requirements-release.txt") from error

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 5
TURNS = 40  # how often a writer retries when others are faster: each turn lets one of them through
LONGEST_WAIT = 2.0
LIST, GET, PUT, DELETE = "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role provides them"
REGION = "Set AWS_REGION to the region of the bucket"
ENDPOINT = "Check the network and AWS_ENDPOINT_URL"
PUSH = "Run slipway push on the machine that trained it"
LATER = "Run it again later: finished files are skipped"
DENIED = {"AccessDenied", "AllAccessDisabled", "403"}
CURES = (
    {
        "NoSuchBucket": "The bucket does not exist: create it, or correct remote in slipway.yaml or SLIPWAY_REMOTE",
        "NotImplemented": "This server lacks features of S3 that are needed (docs/remote.md)",
        "404": ENDPOINT,
        "RequestTimeTooSkewed": "Correct the clock of this machine",
    }
    | dict.fromkeys(["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"], KEYS)
    | dict.fromkeys(["PermanentRedirect", "AuthorizationHeaderMalformed"], REGION)
)


class Overtaken(StoreError):
    """Another writer changed the object between read and write."""


@dataclass(frozen=True)
class S3Store:
    """A store in a bucket: ``journal.jsonl`` and ``bundles/<digest>/``; names are relative to the prefix.

    Parameters
    ----------
    client : botocore client of S3
    bucket : str
    prefix : str
        Empty, or with a slash at its end.
    """

    client: Any
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return self.where().rstrip("/")

    def where(self, name: str = "") -> str:
        """The address of an object, for messages."""
        return f"s3://{self.bucket}/{self.prefix}{name}"

    def sizes(self, start: str) -> dict[str, int]:
        """Names that begin with `start`, with sizes in bytes; StoreError as for every call here."""
        found: dict[str, int] = {}
        with self._told(LIST, start):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + start)
            for page in pages:
                found |= {each["Key"].removeprefix(self.prefix): each["Size"] for each in page.get("Contents", [])}
        return found

    def find(self, digits: str) -> str:
        """The one digest of a bundle that starts with `digits`; StoreError if there is none, or several."""

        def there() -> list[str]:
            folders = [name.split("/")[1] for name in self.sizes(f"bundles/{digits}") if name.endswith(f"/{MANIFEST}")]
            return [digest for digest in folders if DIGEST.fullmatch(digest)]

        return find(digits, there, "bundle", self, PUSH)

    def absent(self, digest: str) -> StoreError:
        return StoreError(f"bundle {digest[:12]} is not in {self}", PUSH)

    def read(self, name: str) -> bytes:
        """The content of an object."""
        return self._read(name)[0]

    def _read(self, name: str) -> tuple[bytes, str]:
        """Content and ETag; reconnects if the connection is lost within the content."""
        with self._told(GET, name):
            for attempt in attempts():
                answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
                with closing(answer["Body"]) as body, attempt:
                    return body.read(), answer["ETag"]
        raise AssertionError("the last attempt returns or raises")

    def holds(self, name: str, digest: str) -> bool:
        """Whether an object has this SHA-256: by S3's checksum or, if that covers only its parts, by reading it."""
        with self._told(GET, name):
            found = self.client.head_object(Bucket=self.bucket, Key=self.prefix + name, ChecksumMode="ENABLED")
        return found.get("ChecksumSHA256") == _sum(digest) or sha256(self.read(name)).hexdigest() == digest

    def write(self, name: str, content: bytes, digest: str, **condition: str) -> None:
        """Write an object in one step; S3 refuses it if it arrives with another SHA-256."""
        with self._told(PUT, name):
            self.client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + name,
                Body=content,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_sum(digest),
                **condition,
            )

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is no error."""
        with self._told(DELETE, name):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def update(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Replace an object by `change` of its content; retry with the newer content if another writer was faster."""
        for turn in range(TURNS):
            before, condition = b"", {"IfNoneMatch": "*"}
            try:
                if name in self.sizes(name):
                    before, etag = self._read(name)
                    condition = {"IfMatch": etag}
                after = change(before)
                if after != before:
                    self.write(name, after, sha256(after).hexdigest(), **condition)
                return
            except Overtaken:
                _wait(turn)
        raise StoreError(f"{self.where(name)}: other writers changed it {TURNS} times meanwhile", "Run it again")

    @contextmanager
    def _told(self, right: str, name: str) -> Iterator[None]:
        partition = self.client.meta.partition
        resource = f"arn:{partition}:s3:::{self.bucket}" + ("" if right == LIST else f"/{self.prefix}{name}")
        with explained(self.where(name), f"{right} on {resource}"):
            yield


@contextmanager
def explained(where: str, right: str) -> Iterator[None]:
    """The error for a failed call to S3, with what to do.

    Parameters
    ----------
    where : str
        The object, ``s3://bucket/key``.
    right : str
        The permission that the call needs, and the resource.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _refused(where, right, error) from error
    except (boto.BotoCoreError, ResponseParserError) as error:
        raise StoreError(f"{where}: {_line(error)}", _cure(error)) from error


def _refused(where: str, right: str, error: Any) -> StoreError:
    code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    said = f"{code}: {_line(error.response['Error'].get('Message', ''))}"
    if code in CURES:
        return StoreError(f"{where}: S3 refused ({said})", CURES[code])
    if status in (409, 412) or code == "NoSuchKey":
        return Overtaken(f"{where}: was changed or removed meanwhile ({code})", "Run it again")
    if code in DENIED:
        named = re.search(r"not authorized to perform: (\w+:\w+) on resource: \"?([^\s\"]+)", said)  # kms: rights too
        missing = f"{named[1]} on {named[2]}" if named else right
        return StoreError(f"{where}: S3 refused ({said})", f"Grant the permission {missing} (docs/remote.md)")
    if status >= 500 or code in ("RequestTimeout", "Throttling", "RequestLimitExceeded"):
        tries = error.response["ResponseMetadata"].get("RetryAttempts", 0) + 1
        return StoreError(f"{where}: S3 is too busy or failed, {tries} times ({said})", LATER)
    return StoreError(f"{where}: S3 refused ({said})")


def _cure(error: Exception) -> str:
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)):
        return KEYS
    if isinstance(error, boto.NoRegionError):
        return REGION
    if isinstance(error, boto.SSLError):
        return "Set AWS_CA_BUNDLE to the certificates that this network needs"
    if isinstance(error, (boto.EndpointConnectionError, boto.ConnectTimeoutError, ResponseParserError)):
        return ENDPOINT
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError)):
        return LATER
    return ""


def _line(said: object) -> str:
    return " ".join(str(said).split()).rstrip(".")


def _sum(digest: str) -> str:
    """A SHA-256 in the form of S3."""
    return b64encode(bytes.fromhex(digest)).decode()


def attempts() -> Iterator[AbstractContextManager[None]]:
    """Attempts to read content; all but the last may lose the connection. botocore retries only before content begins."""
    for attempt in range(1, ATTEMPTS):
        yield suppress(boto.BotoCoreError)
        _wait(attempt)
    yield nullcontext()


def _wait(attempt: int) -> None:
    """Wait for a random time, so that competing writers do not collide again."""
    time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.05 * 2**attempt)))


def open_remote(problem: Problem, tries: int = ATTEMPTS) -> S3Store:
    """The remote store of a problem; not contacted yet.

    Parameters
    ----------
    problem : Problem
    tries : int
        How often a failing call is made; 1 where nobody should wait.

    Raises
    ------
    StoreError
        If no remote is set, or the AWS settings in the environment are invalid.
    """
    if problem.remote is None:
        raise StoreError("remote is not set", "Set remote in slipway.yaml, or SLIPWAY_REMOTE, to s3://bucket/prefix")
    bucket, _, prefix = problem.remote.removeprefix("s3://").partition("/")
    return S3Store(connect(problem.remote, tries), bucket, f"{prefix}/" if prefix else "")


def connect(where: str, tries: int = ATTEMPTS) -> Any:
    """An S3 client configured by the environment; StoreError naming `where` if that is invalid."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
        s3={"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"},  # bucket.host is AWS's own
    )
    with explained(where, ""):
        try:
            return boto3.Session().client("s3", region_name=os.environ.get("AWS_REGION") or None, config=config)
        except ValueError as error:
            raise StoreError(f"{where}: {_line(error)}", ENDPOINT) from error
