"""A finished file as an object in S3: in one step, however many parts it is sent in."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from slipway.errors import StoreError, TableError
from slipway.sources.s3 import CURES
from slipway.sources.source import S3
from slipway.store.remote import PUT, connect, explained


def check(location: str) -> None:
    """TableError when the object cannot be written: an upload in parts is begun, which needs the same right, and given up."""
    with _told(location) as (client, name):
        begun = client.create_multipart_upload(**name)
        with suppress(ClientError):  # the right to give up is another one; no reader sees what was begun
            client.abort_multipart_upload(**name, UploadId=begun["UploadId"])


def upload(file: Path, location: str) -> None:
    """Send it; TableError when S3 refuses. The object is there entirely or, as before, not at all."""
    with _told(location, "All rows are answered and kept: run the same command again to send them") as (client, name):
        try:
            client.upload_file(str(file), *name.values())
        except S3UploadFailedError as error:
            raise error.__context__ or error from None


@contextmanager
def _told(location: str, also: str = "") -> Iterator[tuple[Any, dict[str, str]]]:
    """A client of S3, and bucket and key of an object; what S3 refuses as an error of the table."""
    bucket, _, key = location.removeprefix(S3).partition("/")
    try:
        client = connect(location)
        with explained(location, f"{PUT} on arn:{client.meta.partition}:s3:::{bucket}/{key}"):
            yield client, {"Bucket": bucket, "Key": key}
    except StoreError as error:
        cure = next((cure for code, cure in CURES.items() if code in error.cause), error.cure)
        raise TableError(error.cause, ". ".join(filter(None, (cure, also)))) from error
