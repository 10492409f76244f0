"""Amazon's S3, STS and ECR as far as main.yaml talks to them: a moto server in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

ACCOUNT = "123456789012"
REGION = "eu-west-1"
BUCKET = "slipway-rehearsal"
PASSWORD = f"{ACCOUNT}-auth-token"  # what moto's ECR gives out
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDREHEARSALONLY", "AWS_SECRET_ACCESS_KEY": "not-a-secret-of-anybody"}


@dataclass(frozen=True)
class Aws:
    """A running server; `url` is for AWS_ENDPOINT_URL."""

    url: str

    @property
    def remote(self) -> str:
        return f"s3://{BUCKET}/rehearsal"

    @property
    def environ(self) -> dict[str, str]:
        """What makes the AWS libraries and command line talk to it."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **KEYS}


@contextmanager
def make_aws(port: int) -> Iterator[Aws]:
    """A server at a free `port`, with an empty bucket."""
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        aws = Aws(f"http://127.0.0.1:{port}")
        _wait(aws.url, process)
        _bucket(aws)
        yield aws
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urlopen(f"{url}/moto-api/", timeout=5).close()
            return
        except (URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the moto server does not answer at {url}: {error}") from error
        time.sleep(0.05)


def _bucket(aws: Aws) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
