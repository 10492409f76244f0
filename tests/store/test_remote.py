import threading
from hashlib import sha256

import pytest

import s3
from servers import free_port
from slipway.errors import StoreError
from slipway.store.remote import ATTEMPTS, Overtaken


@pytest.fixture
def bucket(bucket, monkeypatch):
    monkeypatch.setattr("slipway.store.remote._wait", lambda *_: None)
    return bucket


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def times(count: int, kind: str, raw: bytes):
    """A fault: the first `count` calls of a kind are answered with `raw`."""
    left = [count]

    def fault(call, forward):
        if call.kind == kind and left[0]:
            left[0] -= 1
            return raw
        return None

    return fault


def changed(count: int, kind: str, change):
    """A fault: the answers to the first `count` calls of a kind are changed on their way."""
    left = [count]

    def fault(call, forward):
        if call.kind == kind and left[0]:
            left[0] -= 1
            return change(forward())
        return None

    return fault


def test_what_is_written_is_listed_and_read_below_the_prefix(bucket):
    remote = bucket.remote()
    remote.write("bundles/x", b"content", digest(b"content"))
    assert bucket.objects() == {"models/a/bundles/x": b"content"}
    assert remote.sizes("bundles/") == {"bundles/x": 7}
    assert remote.read("bundles/x") == b"content"
    assert str(remote) == bucket.url and remote.where("x") == f"{bucket.url}/x"


def test_a_bucket_without_a_prefix(bucket):
    remote = bucket.remote(f"s3://{bucket.name}")
    remote.write("x", b"content", digest(b"content"))
    assert bucket.objects() == {"x": b"content"}
    assert remote.sizes("") == {"x": 7}
    assert str(remote) == f"s3://{bucket.name}"


def test_a_listing_of_several_pages_is_read_to_its_end(bucket):
    for number in range(5):
        bucket.put(f"many/{number}", b"")
    remote = bucket.remote()
    remote.client.meta.events.register("before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2))
    assert len(remote.sizes("many/")) == 5
    assert len(bucket.proxy.calls) == 3


def in_parts(bucket, content: bytes) -> None:
    name = {"Bucket": bucket.name, "Key": "models/a/x"}
    upload = bucket.client.create_multipart_upload(**name, ChecksumAlgorithm="SHA256")["UploadId"]
    part = bucket.client.upload_part(**name, UploadId=upload, PartNumber=1, Body=content, ChecksumAlgorithm="SHA256")
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
    bucket.client.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": parts})


@pytest.mark.parametrize(
    "way, reads",
    [
        (lambda bucket, content: bucket.put("x", content, ChecksumAlgorithm="SHA256"), 0),
        (lambda bucket, content: bucket.put("x", content), 1),
        (in_parts, 1),
    ],
    ids=["with its sum", "without a sum", "in parts"],
)
def test_an_object_is_known_by_its_content_however_it_came_there(bucket, way, reads):
    way(bucket, b"content")
    assert bucket.remote().holds("x", digest(b"content"))
    assert [call.kind for call in bucket.proxy.calls].count("get") == reads
    assert not bucket.remote().holds("x", digest(b"another"))


def test_a_bundle_is_found_by_the_start_of_its_digest_once_its_manifest_is_there(bucket):
    one, two = "ab" * 32, "ab" * 4 + "cd" * 28
    for name in (f"bundles/{one}/manifest.json", f"bundles/{two}/model.json", "bundles/abababXX/manifest.json"):
        bucket.put(name, b"{}")
    remote = bucket.remote()
    assert remote.find("ababab") == one
    bucket.put(f"bundles/{two}/manifest.json", b"{}")
    assert remote.find("ab" * 5) == one
    for digits, says in [
        ("abab", "at least 6"),
        ("ab" * 4, f"several in .*{one[:12]}.*{two[:12]}"),
        ("ffffff", f"ffffff: no such bundle in {bucket.url}. Run slipway push on the machine that trained it"),
        ("../../", "no such bundle"),
    ]:
        with pytest.raises(StoreError, match=says):
            remote.find(digits)


def append(line: bytes):
    return lambda content: content + line


def test_an_update_makes_the_object_and_changes_it_and_leaves_it_when_nothing_changes(bucket):
    remote = bucket.remote()
    remote.update("j", append(b"1"))
    remote.update("j", append(b"2"))
    assert remote.read("j") == b"12"
    remote.update("j", append(b""))
    assert [call.kind for call in bucket.proxy.calls].count("put") == 2


def test_an_update_takes_in_what_another_wrote_meanwhile(bucket):
    remote = bucket.remote()
    others = iter([b"first by another", b"and again"])

    def change(content: bytes) -> bytes:
        for other in others:  # between the reading and the writing
            bucket.put("j", other)
            break
        return content + b"+mine"

    remote.update("j", change)
    assert remote.read("j") == b"and again+mine"


def test_an_update_of_what_another_took_away_begins_anew(bucket):
    bucket.put("j", b"old")
    removals = iter([1])

    def change(content: bytes) -> bytes:
        for _ in removals:
            bucket.client.delete_object(Bucket=bucket.name, Key="models/a/j")
        return content + b"+mine"

    bucket.remote().update("j", change)
    assert bucket.objects() == {"models/a/j": b"+mine"}


@pytest.mark.parametrize(
    "raw",
    [
        s3.answer("409", "ConditionalRequestConflict"),
        s3.answer("412", "PreconditionFailed"),
    ],
)
def test_an_update_that_is_never_first_gives_up_and_says_so(bucket, raw):
    bucket.proxy.fault = times(3, "put", raw)
    bucket.remote().update("j", append(b"x"))
    bucket.proxy.fault = times(1000, "put", raw)
    with pytest.raises(StoreError, match=f"{bucket.url}/j: other writers changed it 40 times meanwhile. Run it again"):
        bucket.remote().update("j", append(b"x"))


def test_updates_from_many_threads_lose_nothing(bucket, monkeypatch):
    monkeypatch.undo()  # real waits, the environment stays

    def write(name: str) -> None:
        remote = bucket.remote()
        for number in range(5):
            remote.update("j", append(f"{name}{number} ".encode()))

    with s3.aws(bucket.proxy.url):
        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = bucket.objects()["models/a/j"].decode().split()
    assert sorted(written) == [f"{name}{number}" for name in "abcd" for number in range(5)]


CALLS = {
    "list": lambda remote: remote.sizes("x"),
    "get": lambda remote: remote.read("x"),
    "head": lambda remote: remote.holds("x", digest(b"content")),
    "put": lambda remote: remote.write("x", b"content", digest(b"content")),
}
NAMED = (
    "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: kms:GenerateDataKey on resource: "
    "arn:aws:kms:eu-west-1:123456789012:key/k because no identity-based policy allows it"
)


@pytest.mark.parametrize(
    "kind, right",
    [
        ("list", "s3:ListBucket on arn:aws:s3:::{}"),
        ("get", "s3:GetObject on arn:aws:s3:::{}/models/a/x"),
        ("head", "s3:GetObject on arn:aws:s3:::{}/models/a/x"),
        ("put", "s3:PutObject on arn:aws:s3:::{}/models/a/x"),
    ],
)
def test_a_missing_right_is_named_with_what_it_is_on(bucket, kind, right):
    bucket.put("x", b"content")
    bucket.proxy.fault = times(1, kind, b"HTTP/1.1 403 Forbidden\r\n\r\n" if kind == "head" else s3.DENIED)
    with pytest.raises(StoreError) as caught:
        CALLS[kind](bucket.remote())
    assert str(caught.value).startswith(f"{bucket.url}/x: S3 refused (")
    assert caught.value.cure == f"Grant the permission {right.format(bucket.name)} (docs/remote.md)"


@pytest.mark.parametrize(
    "raw, says",
    [
        (
            s3.answer("403", "AccessDenied", NAMED),
            "permission kms:GenerateDataKey on arn:aws:kms:eu-west-1:123456789012:key/k ",
        ),
        (s3.answer("403", "InvalidAccessKeyId"), "refused .InvalidAccessKeyId.*Set AWS_ACCESS_KEY_ID and"),
        (s3.answer("400", "ExpiredToken"), "Set AWS_ACCESS_KEY_ID and"),
        (s3.answer("403", "RequestTimeTooSkewed"), "Correct the clock"),
        (s3.answer("301", "PermanentRedirect"), "Set AWS_REGION"),
        (s3.answer("501", "NotImplemented"), "lacks features of S3"),
        (s3.answer("400", "EntityTooLarge", "Too large"), "refused .EntityTooLarge: Too large"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n<html>no<", "Check the network and AWS_ENDPOINT_URL"),
    ],
)
def test_what_s3_answers_is_told_with_what_to_do(bucket, raw, says):
    bucket.proxy.fault = times(1000, "list", raw)
    with pytest.raises(StoreError, match=f"{bucket.url}/x: .*{says}"):
        bucket.remote().sizes("x")


def test_a_bucket_that_is_not_there(bucket):
    with pytest.raises(StoreError, match="s3://bucket-absent/p/x: .*NoSuchBucket.*create it, or correct remote"):
        bucket.remote("s3://bucket-absent/p").sizes("x")


def test_an_object_that_went_away_is_told(bucket):
    with pytest.raises(Overtaken, match=f"{bucket.url}/x: was changed or removed"):
        bucket.remote().read("x")


def test_a_machine_without_keys(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match=f"{bucket.url}/x: .*credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        bucket.remote().sizes("x")


def test_half_a_key_and_a_profile_that_is_not_there(bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY"):
        bucket.remote().sizes("x")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreError, match=f"{bucket.url}: .*nobody"):
        bucket.remote()


@pytest.mark.parametrize("endpoint", ["nonsense", "http://127.0.0.1:{port}"])
def test_an_endpoint_that_cannot_be_reached(bucket, monkeypatch, endpoint):
    endpoint = endpoint.format(port=free_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(StoreError, match=f"{bucket.url}.*{endpoint}.*Check the network and AWS_ENDPOINT_URL"):
        bucket.remote().sizes("x")


def test_empty_variables_are_no_settings(bucket, monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "")
    assert bucket.remote().client.meta.endpoint_url.endswith("amazonaws.com")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert bucket.remote().client.meta.region_name == "eu-west-1"


def test_nothing_is_waited_for_without_end(bucket):
    config = bucket.remote().client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("raw", [s3.SLOW_DOWN, s3.answer("500", "InternalError"), b""], ids=["busy", "failed", "cut off"])
def test_what_passes_is_tried_again(bucket, kind, raw):
    bucket.put("x", b"content")
    raw = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n" if raw and kind == "head" else raw
    bucket.proxy.fault = times(ATTEMPTS - 1, kind, raw)
    CALLS[kind](bucket.remote())
    bucket.proxy.calls.clear()
    bucket.proxy.fault = times(ATTEMPTS, kind, raw)
    says = "too busy or failed, 5 times" if raw else "Connection was closed"
    with pytest.raises(StoreError, match=f"{bucket.url}/x: .*{says}.*Run it again later"):
        CALLS[kind](bucket.remote())
    assert [call.kind for call in bucket.proxy.calls].count(kind) == ATTEMPTS


@pytest.mark.parametrize("change", [s3.cut, s3.flipped])
def test_content_that_is_lost_on_its_way_is_fetched_again(bucket, change):
    content = b"content" * 10_000
    remote = bucket.remote()
    remote.write("x", content, digest(content))
    bucket.proxy.fault = changed(ATTEMPTS - 1, "get", change)
    assert remote.read("x") == content
    bucket.proxy.fault = changed(1000, "get", change)
    with pytest.raises(StoreError, match=f"{bucket.url}/x: ."):
        remote.read("x")


def test_an_answer_that_is_lost_after_the_writing_does_no_harm(bucket):
    def once(raw):
        return b""

    remote = bucket.remote()
    remote.update("j", append(b"1\n"))
    bucket.proxy.fault = changed(1, "put", once)
    remote.update("j", lambda content: content if b"2\n" in content else content + b"2\n")
    assert remote.read("j") == b"1\n2\n"
