"""Push and pull."""

import itertools
import os

import pytest

import s3
from slipway.errors import BundleError, StoreError
from slipway.model.bundle import digest_of
from slipway.store.transfer import add_entries, pull, push
from transfers import DIGEST, ENTRIES, FILES, JUDGING, assert_sound, journal, silent

FOLDER = f"models/a/bundles/{DIGEST}/"


class Told(list):
    """What the progress was told: name and what is done."""

    def __call__(self, number: int, total: int, name: str, size: int, what: str) -> None:
        self.append((name, what))


def kinds(bucket) -> list[str]:
    return [call.kind for call in bucket.proxy.calls]


def test_what_is_pushed_can_be_pulled_elsewhere(bucket, store, clone):
    told = Told()
    push(store, bucket.remote(), DIGEST, told)
    names = [name for name, what in told if what == "uploaded"]
    lists = ["serving.json", "judging.json", "manifest.json"]
    assert names == [*FILES, *JUDGING, *lists], "a list after its files, the manifest last"
    assert bucket.objects() == {FOLDER + path.name: path.read_bytes() for path in (store.bundles / DIGEST).iterdir()}
    assert pull(clone, bucket.remote(), DIGEST, silent) == "fetched"
    assert clone.bundle(DIGEST).manifest == store.bundle(DIGEST).manifest


def test_what_is_there_is_not_copied_again(bucket, store, clone):
    push(store, bucket.remote(), DIGEST, silent)
    pull(clone, bucket.remote(), DIGEST, silent)
    bucket.proxy.calls.clear()
    told = Told()
    push(store, bucket.remote(), DIGEST, told)
    assert {what for _, what in told} == {"there already"}
    assert set(kinds(bucket)) == {"list", "head"}
    bucket.proxy.calls.clear()
    assert pull(clone, bucket.remote(), DIGEST, silent) == "there already"
    assert bucket.proxy.calls == []


def test_the_manifest_is_written_last_so_a_push_that_ends_early_leaves_no_bundle(bucket, store, clone):
    def fault(call, forward):
        return s3.DENIED if call.path.endswith("model.onnx") else None

    bucket.proxy.fault = fault
    denied = f"{DIGEST}/model.onnx: .*Grant the permission s3:PutObject on arn:aws:s3:::{bucket.name}/"
    with pytest.raises(StoreError, match=denied):
        push(store, bucket.remote(), DIGEST, silent)
    with pytest.raises(StoreError, match=f"bundle {DIGEST[:12]} is not in {bucket.url}. Run slipway push"):
        pull(clone, bucket.remote(), DIGEST, silent)
    bucket.proxy.fault = lambda *_: None
    told = Told()
    push(store, bucket.remote(), DIGEST, told)
    assert ("model.json", "there already") in told and ("model.onnx", "uploaded") in told


def test_a_damaged_bundle_is_not_pushed(bucket, store):
    (store.bundles / DIGEST / "model.json").write_bytes(b"[]")
    with pytest.raises(BundleError, match="model.json"):
        push(store, bucket.remote(), DIGEST, silent)
    assert bucket.objects() == {}


@pytest.mark.parametrize("name", ["model.json", "twin.json", "serving.json", "judging.json", "manifest.json"])
@pytest.mark.parametrize("way", [{}, {"ChecksumAlgorithm": "SHA256"}])
@pytest.mark.parametrize("content", [lambda right: b"!" * len(right), lambda right: right + b"!", lambda right: b""])
def test_a_wrong_object_is_refused_by_name_and_replaced_by_the_next_push(bucket, store, clone, name, way, content):
    push(store, bucket.remote(), DIGEST, silent)
    bucket.put(f"bundles/{DIGEST}/{name}", content((store.bundles / DIGEST / name).read_bytes()), **way)
    with pytest.raises(StoreError, match=f"{bucket.url}/bundles/{DIGEST}/{name}: is not the file.*Run slipway push"):
        pull(clone, bucket.remote(), DIGEST, silent)
    assert clone.digests() == []
    told = Told()
    push(store, bucket.remote(), DIGEST, told)
    assert [step for step in told if not step[1].endswith(("…", "already"))] == [
        (name, "different object replaced"),
    ]
    assert_sound(bucket, clone.root)


def test_an_object_that_is_gone_is_told_and_put_back(bucket, store, clone):
    push(store, bucket.remote(), DIGEST, silent)
    bucket.client.delete_object(Bucket=bucket.name, Key=f"{FOLDER}model.onnx")
    with pytest.raises(StoreError, match="model.onnx: is not the file of the bundle .absent"):
        pull(clone, bucket.remote(), DIGEST, silent)
    push(store, bucket.remote(), DIGEST, silent)
    assert_sound(bucket, clone.root)


def test_what_else_lies_there_is_no_part_of_the_bundle(bucket, store, clone):
    push(store, bucket.remote(), DIGEST, silent)
    for name in ("", "note.txt", "folder/x"):  # "" is the folder that the console makes
        bucket.put(f"bundles/{DIGEST}/{name}", b"")
    assert_sound(bucket, clone.root)


def test_a_manifest_beyond_all_measure_is_not_fetched(bucket, clone):
    bucket.put(f"bundles/{DIGEST}/manifest.json", b" " * ((1 << 20) + 1))
    with pytest.raises(StoreError, match="manifest.json: is not the file of the bundle .1048577 bytes"):
        pull(clone, bucket.remote(), DIGEST, silent)
    assert "get" not in kinds(bucket)


@pytest.mark.parametrize(
    "manifest, says",
    [
        (b'{"format": 3}', "format 3 was written by a newer Slipway. Upgrade"),
        (b'{"format": 3, "files": ["model.json"]}', "newer Slipway"),
        (b'{"format": 2, "problem": "x", "parts": {"../../escaped": "%s"}}' % (b"0" * 64), "not a manifest"),
        (b'{"format":1,"problem":"x","files":{"../../escaped":{"bytes":1,"sha256":"' + b"0" * 64 + b'"}}}', "not a manifest"),
        (b'{"format":1,"problem":"x","files":{"a":7}}', "not a manifest"),
        (b"[]", "not a manifest"),
        (b"\xff", "not a manifest"),
    ],
)
def test_a_manifest_that_this_version_cannot_read_is_refused_and_leaves_nothing(bucket, clone, manifest, says):
    digest = digest_of(manifest)
    bucket.put(f"bundles/{digest}/manifest.json", manifest)
    bucket.put(f"bundles/{digest}/../../escaped", b"x")
    with pytest.raises(BundleError, match=f"{digest}/manifest.json: .*{says}"):
        pull(clone, bucket.remote(), digest, silent)
    assert clone.digests() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.json").write_bytes(b"[]"),
        lambda folder: (folder / "model.json").unlink(),
        lambda folder: (folder / "stray").write_bytes(b""),
        lambda folder: (folder / "judging.json").unlink(),
        lambda folder: (folder / "twin.json").unlink(),
    ],
)
def test_a_bundle_that_is_damaged_here_is_repaired(bucket, store, damage):
    push(store, bucket.remote(), DIGEST, silent)
    damage(store.bundles / DIGEST)
    assert pull(store, bucket.remote(), DIGEST, silent) == "repaired"
    assert store.bundle(DIGEST).read("model.json") == FILES["model.json"]
    assert [path.name for path in store.bundles.iterdir()] == [DIGEST]


def test_a_bundle_whose_judging_part_is_damaged_is_not_pushed(bucket, store):
    (store.bundles / DIGEST / "twin.json").write_bytes(b"x")
    with pytest.raises(BundleError, match="twin.json: differs from the manifest"):
        push(store, bucket.remote(), DIGEST, silent)


def only_what_serves(store) -> None:
    for name in ("judging.json", *JUDGING):
        (store.bundles / DIGEST / name).unlink()


def test_what_git_carries_is_completed(bucket, store):
    push(store, bucket.remote(), DIGEST, silent)
    only_what_serves(store)
    assert not store.bundle(DIGEST).whole
    assert pull(store, bucket.remote(), DIGEST, silent) == "completed"
    assert store.bundle(DIGEST).whole


def test_what_git_carries_needs_no_remote_store_that_has_it(bucket, store, clone):
    only_what_serves(store)
    assert pull(store, bucket.remote(), DIGEST, silent) == f"there already; {bucket.url} has no part that judged it"
    push(store, bucket.remote(), DIGEST, silent)
    assert pull(clone, bucket.remote(), DIGEST, silent) == "fetched"
    assert clone.bundle(DIGEST).read("model.onnx") == FILES["model.onnx"]
    with pytest.raises(BundleError, match="Run slipway pull, or slipway push on the machine that trained it"):
        clone.bundle(DIGEST).twin()


def test_a_repair_that_fails_leaves_what_was_there(bucket, store):
    (store.bundles / DIGEST / "model.json").write_bytes(b"[]")
    with pytest.raises(StoreError, match="is not in"):
        pull(store, bucket.remote(), DIGEST, silent)
    assert (store.bundles / DIGEST / "model.onnx").read_bytes() == FILES["model.onnx"]


@pytest.mark.parametrize(
    "change, kinds",
    [
        (s3.cut, ("list", "get")),
        (lambda raw: b"", ("list", "get")),
        (s3.flipped, ("get",)),
        (lambda raw: s3.flipped(s3.without_sums(raw)), ("get",)),
    ],
    ids=["cut", "lost", "flipped", "flipped without a sum"],
)
def test_every_answer_may_be_lost_once(bucket, store, clone, change, kinds):
    lost = set()

    def fault(call, forward):
        if call.path in lost or call.kind not in kinds:
            return None
        lost.add(call.path)
        return change(forward())

    push(store, bucket.remote(), DIGEST, silent)
    bucket.proxy.fault = fault
    assert_sound(bucket, clone.root)
    assert len(lost) == 7 + ("list" in kinds)


@pytest.mark.parametrize("number", range(1, 10))
def test_a_push_goes_on_when_the_connection_is_lost_or_s3_is_busy(bucket, store, clone, number):
    def fault(call, forward):
        if call.number == number:  # what was asked is done, but the answer is lost
            forward()
            return b""
        return s3.SLOW_DOWN if call.number == number + 1 else None

    bucket.proxy.fault = fault
    push(store, bucket.remote(), DIGEST, silent)
    add_entries(bucket.remote(), ENTRIES)
    assert journal(bucket) == ENTRIES
    assert_sound(bucket, clone.root)


@pytest.mark.parametrize("call, at", [("fsync", 2), ("replace", 1), ("mkdir", 4)])
def test_a_full_disk_is_told_and_leaves_nothing(bucket, store, clone, monkeypatch, call, at):
    push(store, bucket.remote(), DIGEST, silent)

    def full(*arguments, calls=itertools.count(1), real=getattr(os, call), **named):
        if next(calls) == at:
            raise OSError(28, "No space left on device")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="cannot be written.*No space left.*Free disk space"):
            pull(clone, bucket.remote(), DIGEST, silent)
    assert list(clone.bundles.iterdir()) == []
    assert_sound(bucket, clone.root)
