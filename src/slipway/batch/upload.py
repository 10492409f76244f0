"""A finished file as an object in S3: in one step, however many parts it is sent in."""

from pathlib import Path

from slipway.errors import StoreError, TableError
from slipway.remote import PUT, boto3, connect, explained
from slipway.sources.paths import S3
from slipway.sources.s3 import CURES


def upload(file: Path, location: str) -> None:
    """Send it; TableError when S3 refuses. The object is there entirely or, as before, not at all."""
    bucket, _, key = location.removeprefix(S3).partition("/")
    try:
        client = connect(location)
        with explained(location, f"{PUT} on arn:{client.meta.partition}:s3:::{bucket}/{key}"):
            try:
                client.upload_file(str(file), bucket, key)
            except boto3.exceptions.S3UploadFailedError as error:
                raise error.__context__ or error
    except StoreError as error:
        cure = next((cure for code, cure in CURES.items() if code in error.cause), error.cure)
        cure = f"{cure}. " if cure else ""
        raise TableError(error.cause, f"{cure}What is done is kept: run it again to send it") from error
