"""A bucket of S3, as far as a box needs it, with the standard library alone.

A client such as s3cmd would be one more package, in another version on each system; curl's signatures differ by version, too.
Requests are signed by AWS Signature Version 4, docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
"""

import hmac
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from io import BufferedReader
from urllib.parse import quote, urlsplit

from slipway.errors import ReleaseError
from slipway.release.box.instance import Credentials

SECONDS = 30  # without a byte from the other side
EMPTY = sha256().hexdigest()
MOST_BYTES = 8 << 20  # of what is got
ABSENT = (403, 404)  # without the right to list, S3 denies what is not there
LATER = "The next run sends it again"
CURES = dict.fromkeys(
    ("PermanentRedirect", "AuthorizationHeaderMalformed"),
    "Set AWS_REGION to the region of the bucket (on a box: in /etc/slipway/aws.env)",
) | {
    "AccessDenied": "Give the role of this box or task s3:PutObject on log/raw/* below the remote of the log",
    "NoSuchBucket": "Create the bucket, or correct the remote of the log (on a box: log_remote in release.toml)",
    "RequestTimeTooSkewed": "Correct the clock of this machine",
}


@dataclass(frozen=True)
class Bucket:
    """A part of a bucket.

    Parameters
    ----------
    name : str
    prefix : str
        Of all keys; empty, or with a slash at its end.
    region : str
    credentials : Credentials
    endpoint : str
        ``http://host:port`` of a server other than AWS's; empty for AWS.
    """

    name: str
    prefix: str
    region: str
    credentials: Credentials
    endpoint: str = ""

    def put(self, key: str, content: BufferedReader) -> None:
        """Write an object; S3 takes it whole or not at all, and refuses it if it arrives with another SHA-256.

        Raises
        ------
        ReleaseError
            If S3 did not say that it has it.
        """
        digest = file_digest(content, "sha256")
        length = content.seek(0, os.SEEK_END)
        content.seek(0)
        headers = {
            "x-amz-sdk-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": b64encode(digest.digest()).decode(),
            "content-length": str(length),
        }
        status, said = self._call("PUT", key, digest.hexdigest(), headers, content)
        if status != 200:
            raise self._refused(key, status, said)

    def get(self, key: str) -> bytes | None:
        """The content of an object; None if there is none, or the role may not read it.

        Raises
        ------
        ReleaseError
            If S3 does not answer, or refuses for another reason.
        """
        status, content = self._call("GET", key, EMPTY, {})
        if status in ABSENT:
            return None
        if status != 200:
            raise self._refused(key, status, content)
        return content

    def _call(
        self, method: str, key: str, digest: str, headers: Mapping[str, str], body: BufferedReader | None = None
    ) -> tuple[int, bytes]:
        """Status and content of the answer."""
        connection, host, path = self._connection(key)
        told = {**headers, "host": host, "x-amz-content-sha256": digest}
        signed = told | signature(method, path, told, self.region, self.credentials, datetime.now(UTC))
        try:
            with closing(connection):
                with suppress(BrokenPipeError, ConnectionResetError):  # S3 may refuse before it has read everything
                    connection.request(method, path, body, signed)
                answer = connection.getresponse()
                return answer.status, _read(answer)
        except (OSError, HTTPException) as error:
            raise ReleaseError(f"{self._where(key)}: no answer of S3 ({error or type(error).__name__})", LATER) from error

    def _connection(self, key: str) -> tuple[HTTPConnection, str, str]:
        """A connection that is not open yet, the host in its requests, and the path of an object."""
        path = "/" + quote(self.prefix + key, safe="/-_.~")
        if not self.endpoint and "." not in self.name:  # whose certificate covers one label before its own name
            host = f"{self.name}.s3.{self.region}.amazonaws.com"
            return HTTPSConnection(host, timeout=SECONDS), host, path
        parts = urlsplit(self.endpoint or f"https://s3.{self.region}.amazonaws.com")
        kind = HTTPConnection if parts.scheme == "http" else HTTPSConnection
        return kind(parts.netloc, timeout=SECONDS), parts.netloc, f"/{self.name}{path}"

    def _where(self, key: str) -> str:
        return f"s3://{self.name}/{self.prefix}{key}"

    def _refused(self, key: str, status: int, content: bytes) -> ReleaseError:
        found = re.search(rb"<Code>(\w+)</Code>", content)
        code = found[1].decode() if found else ""
        return ReleaseError(f"{self._where(key)}: S3 refused ({status} {code}".rstrip() + ")", CURES.get(code, LATER))


def bucket_at(remote: str, who: tuple[Credentials, str], environ: Mapping[str, str]) -> Bucket:
    """What ``s3://bucket/prefix`` names; ``AWS_ENDPOINT_URL`` is another server than AWS's.

    Parameters
    ----------
    who : tuple
        Credentials and region.
    """
    credentials, region = who
    name, _, prefix = remote.removeprefix("s3://").rstrip("/").partition("/")
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL", "")
    return Bucket(name, f"{prefix}/" if prefix else "", region, credentials, endpoint)


def signature(
    method: str, path: str, headers: Mapping[str, str], region: str, credentials: Credentials, at: datetime
) -> dict[str, str]:
    """The headers that sign a request to S3 without a query.

    Parameters
    ----------
    path : str
        Percent-encoded.
    headers : mapping of str to str
        All that are signed, with ``host`` and ``x-amz-content-sha256``.
    at : datetime
        Now, in UTC.
    """
    more = {"x-amz-date": f"{at:%Y%m%dT%H%M%SZ}"}
    if credentials.token:
        more["x-amz-security-token"] = credentials.token
    lines = sorted((name.lower(), value) for name, value in {**headers, **more}.items())
    names = ";".join(name for name, _ in lines)
    listed = "".join(f"{name}:{value}\n" for name, value in lines)
    request = "\n".join((method, path, "", listed, names, headers["x-amz-content-sha256"]))
    scope = f"{at:%Y%m%d}/{region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", more["x-amz-date"], scope, sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={signed}"
    return more | {"Authorization": said}


def _read(answer: HTTPResponse) -> bytes:
    content = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(f"it is larger than {MOST_BYTES >> 20} MiB")
    if answer.length:
        raise IncompleteRead(content, answer.length)
    return content
