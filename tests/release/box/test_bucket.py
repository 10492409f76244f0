"""Objects put and got with the standard library alone, signed as AWS's own client signs."""

import io
import socketserver
import threading
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Theirs

import s3
from slipway.errors import ReleaseError
from slipway.release.box import bucket as module
from slipway.release.box.bucket import Bucket, bucket_at, signature
from slipway.release.box.instance import Credentials

KEY = "log/raw/date=2026-11-22/bundle=8821177e2697/0123456789ab-c0ffee00-1.jsonl"
OWN = Credentials("AKIATESTTESTTESTTEST", "secret+/", "token==")
AT = datetime(2026, 11, 22, 9, 30, 5, tzinfo=UTC)


@pytest.fixture
def box(bucket) -> Bucket:
    """The test's bucket as a box reaches it."""
    return Bucket(bucket.name, "models/a/", "us-east-1", Credentials("AKIATESTTESTTESTTEST", "test"), bucket.proxy.url)


@pytest.mark.parametrize("credentials", [OWN, Credentials("AKIATESTTESTTESTTEST", "secret")], ids=["role", "key"])
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_request_is_signed_as_botocore_signs_it(method, credentials, monkeypatch):
    place = Bucket("bucket", "models/a/", "eu-west-1", credentials)
    _, host, path = place._connection(KEY)
    told = {"host": host, "x-amz-content-sha256": module.EMPTY, "x-amz-checksum-sha256": "a+/="}
    theirs = AWSRequest(method, f"https://{host}{path}", headers={**told})
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: AT)
    S3SigV4Auth(Theirs(credentials.key, credentials.secret, credentials.token or None), "s3", "eu-west-1").add_auth(theirs)
    own = signature(method, path, told, "eu-west-1", credentials, AT)
    assert own["Authorization"] == theirs.headers["Authorization"]
    assert own.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")


def test_an_object_arrives_under_its_name_with_its_checksum(bucket, box):
    box.put(KEY, io.BytesIO(b"line\n"))
    assert bucket.objects() == {f"models/a/{KEY}": b"line\n"}
    found = bucket.client.head_object(Bucket=bucket.name, Key=f"models/a/{KEY}", ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"]
    assert bucket.remote().read(KEY) == b"line\n", "whoever collects finds it under the same name"


def test_the_same_object_again_is_the_same(bucket, box):
    for _ in range(2):
        box.put(KEY, io.BytesIO(b"line\n"))
    assert bucket.objects() == {f"models/a/{KEY}": b"line\n"}


def test_what_is_there_is_got_and_what_is_not_is_none(bucket, box):
    bucket.put("log/live.html", b"<p>")
    assert box.get("log/live.html") == b"<p>"
    assert box.get("log/live.json") is None


def test_without_the_right_to_list_what_is_not_there_is_denied(bucket, box):
    bucket.proxy.fault = lambda call, forward: s3.DENIED
    assert box.get("log/live.html") is None


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (s3.DENIED, "403 AccessDenied). Give the role of this box or task s3:PutObject"),
        (s3.SLOW_DOWN, "503 SlowDown). The next run sends it again"),
        (s3.answer("301", "PermanentRedirect"), "Set AWS_REGION"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "S3 refused (204)"),
        (b"SSH-2.0\r\n", "no answer of S3"),
        (b"", "no answer of S3"),
    ],
)
def test_whatever_is_no_yes_is_an_error_that_names_the_object(bucket, box, fault, told):
    bucket.proxy.fault = lambda call, forward: fault
    with pytest.raises(ReleaseError) as raised:
        box.put(KEY, io.BytesIO(b"line\n"))
    assert told in str(raised.value) and f"s3://{bucket.name}/models/a/{KEY}" in str(raised.value)
    assert "AKIA" not in str(raised.value)


def test_a_server_that_refuses_before_it_has_read_is_heard(box, monkeypatch):
    class Refusing(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            b"".join(iter(self.rfile.readline, b"\r\n"))
            self.wfile.write(s3.DENIED)

    def send(connection, data, send=HTTPConnection.send):
        if hasattr(data, "read"):
            raise BrokenPipeError
        send(connection, data)

    monkeypatch.setattr(HTTPConnection, "send", send)
    with socketserver.TCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        refusing = replace(box, endpoint=f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(ReleaseError, match="403 AccessDenied"):
            refusing.put(KEY, io.BytesIO(b"line\n"))
        server.shutdown()


def test_a_page_that_is_too_large_is_not_read(bucket, box, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 4)
    bucket.put("log/live.html", b"12345")
    with pytest.raises(ReleaseError, match="larger than"):
        box.get("log/live.html")


@pytest.mark.parametrize(
    ("name", "host", "path"),
    [
        ("logs", "logs.s3.eu-west-1.amazonaws.com", "/models/a/log/x%3D1"),
        ("logs.example.org", "s3.eu-west-1.amazonaws.com", "/logs.example.org/models/a/log/x%3D1"),
    ],
)
def test_aws_is_reached_by_the_bucket_s_own_name_where_its_certificate_covers_that(name, host, path):
    connection, *found = Bucket(name, "models/a/", "eu-west-1", OWN)._connection("log/x=1")
    assert found == [host, path] and urlsplit(f"https://{host}").hostname == connection.host and connection.port == 443


@pytest.mark.parametrize(
    ("remote", "name", "prefix"), [("s3://b/artifacts", "b", "artifacts/"), ("s3://b/", "b", ""), ("s3://b", "b", "")]
)
def test_a_place_is_a_bucket_and_a_prefix(remote, name, prefix):
    found = bucket_at(remote, (OWN, "us-east-1"), {})
    assert (found.name, found.prefix, found.region, found.endpoint) == (name, prefix, "us-east-1", "")
