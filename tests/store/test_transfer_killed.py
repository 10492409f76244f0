"""Push and pull in processes of their own: at once, killed at any step, and where the disk takes no more."""

import json
import resource
from pathlib import Path

import pytest

from slipway.errors import BundleError, StoreError
from slipway.store.local import LocalStore
from slipway.store.remote import S3Store
from slipway.store.transfer import add_entries, pull, push
from transfers import DIGEST, ENTRIES, FILES, journal, silent, start


def test_pushes_and_pulls_at_once_end_with_a_sound_bundle(bucket, store, clone):
    pushes = [start("push", bucket.url, store.root) for _ in range(2)]
    assert [(each.communicate(timeout=60), each.returncode)[1] for each in pushes] == [0, 0]
    pulls = [start("pull", bucket.url, clone.root) for _ in range(2)] + [start("push", bucket.url, store.root)]
    assert [(each.communicate(timeout=60), each.returncode)[1] for each in pulls] == [0, 0, 0]
    assert [path.name for path in clone.bundles.iterdir()] == [DIGEST]
    assert clone.bundle(DIGEST).read("model.onnx") == FILES["model.onnx"]
    assert journal(bucket) == ENTRIES


def test_no_entry_is_lost_when_four_append_at_once(bucket):
    writers = [start("append", bucket.url, name) for name in "abcd"]
    for writer in writers:
        assert (writer.communicate(timeout=120)[1], writer.returncode) == ("", 0)
    found = [(each["who"], each["number"]) for each in journal(bucket)]
    assert sorted(found) == [(name, number) for name in "abcd" for number in range(10)]
    assert all(found.index((name, at)) < found.index((name, at + 1)) for name in "abcd" for at in range(9))


def test_a_push_that_is_killed_at_any_step_leaves_nothing_or_all_and_the_next_one_ends_it(bucket, store, tmp_path):
    deaths = start("kill-push", bucket.name, store.root)
    out, err = deaths.communicate(timeout=120)
    assert (deaths.returncode, err) == (0, "")
    prefixes, seen, client = out.split(), set(), bucket.remote().client
    assert len(prefixes) > 10, "no step was seen"
    for prefix in prefixes:
        remote, fresh = S3Store(client, bucket.name, prefix), LocalStore(tmp_path / prefix)
        try:
            seen.add(pull(fresh, remote, DIGEST, silent))
        except StoreError as error:
            assert "is not in" in str(error)
            seen.add("absent")
        push(store, remote, DIGEST, silent)
        add_entries(remote, ENTRIES)
        assert [json.loads(line) for line in remote.read("journal.jsonl").splitlines()] == ENTRIES
        pull(fresh, remote, DIGEST, silent)
        assert fresh.bundle(DIGEST).read("model.onnx") == FILES["model.onnx"]
    assert seen == {"absent", "fetched"}


@pytest.mark.parametrize("damaged", [False, True])
def test_a_pull_that_is_killed_at_any_step_leaves_nothing_or_all_and_the_next_one_ends_it(bucket, store, tmp_path, damaged):
    push(store, bucket.remote(), DIGEST, silent)
    deaths = start("kill-pull", bucket.url, tmp_path / "clones", "damaged" if damaged else "")
    out, err = deaths.communicate(timeout=120)
    assert (deaths.returncode, err) == (0, "")
    roots, seen, remote = out.split(), set(), bucket.remote()
    assert len(roots) > 10, "no step was seen"
    for root in roots:
        clone = LocalStore(Path(root))
        for digest in clone.digests():
            try:
                seen.add(clone.bundle(digest).read("model.json"))
            except BundleError:
                seen.add("damaged")
        pull(clone, remote, DIGEST, silent)
        assert clone.bundle(DIGEST).read("model.onnx") == FILES["model.onnx"]
    assert seen == {FILES["model.json"]} | ({"damaged"} if damaged else set())


def test_a_disk_that_takes_no_more_is_told_and_leaves_nothing(bucket, store, clone):
    push(store, bucket.remote(), DIGEST, silent)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # bytes of a file; model.onnx has 3000

    process = start("pull", bucket.url, clone.root, preexec_fn=limited)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert err.startswith(f"{clone.bundles}: cannot be written (File too large). Raise the limit on file size (ulimit -f)")
    assert list(clone.bundles.iterdir()) == []
