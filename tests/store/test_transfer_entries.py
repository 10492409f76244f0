"""The journal in S3: what it gets from a machine, and of a release."""

import json

import pytest

from slipway.errors import StoreError
from slipway.store.transfer import add_entries, released
from transfers import DIGEST, ENTRIES, journal

RELEASE = {
    "key": "4fd1",
    "digest": f"sha256:{'a' * 64}",
    "commit": "b" * 40,
    "run_number": 7,
    "run_attempt": 1,
    "outcome": "success",
}


def test_the_journal_gets_what_it_lacks_in_order_and_once(bucket):
    remote = bucket.remote()
    assert add_entries(remote, []) == 0
    assert bucket.objects() == {}
    assert add_entries(remote, ENTRIES[:1]) == 1
    assert add_entries(remote, ENTRIES) == 1
    assert add_entries(remote, ENTRIES) == 0
    assert journal(bucket) == ENTRIES


def test_entries_that_look_the_same_are_all_kept(bucket):
    """Two champions that take turns within a second leave entries that differ in nothing."""
    first, second = ({"event": "promote", "at": "2026-11-21T12:00:00+00:00", "digest": each} for each in ("a", "b"))
    remote = bucket.remote()
    assert add_entries(remote, [first, second, first]) == 3
    assert add_entries(remote, [first, second, first, second, first]) == 2
    assert add_entries(remote, [first, second, first, second, first]) == 0
    assert journal(bucket) == [first, second, first, second, first]


def test_what_is_no_entry_stays_in_the_journal(bucket):
    bucket.put("journal.jsonl", b'[1]\n{"event": "ver')
    add_entries(bucket.remote(), ENTRIES[:1])
    kept, cut, added, rest = bucket.objects()["models/a/journal.jsonl"].split(b"\n")
    assert (kept, cut, rest) == (b"[1]", b'{"event": "ver', b"")
    assert json.loads(added) == ENTRIES[0]


def test_a_release_is_noted_once_whoever_tells_of_it_and_when(bucket, store):
    bundle = store.bundle(DIGEST)
    told = released(bundle, json.dumps(RELEASE).encode(), "release.json")
    assert {key: told[key] for key in RELEASE} == RELEASE
    assert (told["event"], told["bundle"], told["problem"]) == ("release", DIGEST, "trial")
    assert told["at"] and told["who"] and "champion" not in told
    assert add_entries(bucket.remote(), [told]) == 1
    assert add_entries(bucket.remote(), [told | {"at": "later", "who": "another"}]) == 0
    assert add_entries(bucket.remote(), [told | {"run_number": 8}]) == 1
    assert add_entries(bucket.remote(), [told | {"run_number": 8, "run_attempt": 2}]) == 1


def test_releases_that_alternate_between_two_images_are_all_noted(bucket, store):
    numbers = range(1, 6)
    for number in numbers:
        release = RELEASE | {"digest": f"sha256:{'ab'[number % 2] * 64}", "run_number": number}
        add_entries(bucket.remote(), [released(store.bundle(DIGEST), json.dumps(release).encode(), "release.json")])
    noted = [(each["digest"][-1], each["run_number"]) for each in journal(bucket)]
    assert noted == [("ab"[number % 2], number) for number in numbers]


@pytest.mark.parametrize("outcome", ["success", "failure", "cancelled", "rejected"])
def test_a_release_says_how_its_deployment_ended(bucket, store, outcome):
    told = released(store.bundle(DIGEST), json.dumps(RELEASE | {"outcome": outcome}).encode(), "release.json")
    add_entries(bucket.remote(), [told])
    assert journal(bucket)[-1]["outcome"] == outcome


@pytest.mark.parametrize(
    "change, says",
    [
        ({"key": ""}, "key: expected a text, got ''"),
        ({"key": 7}, "key: expected a text"),
        ({"digest": "a" * 64}, "digest: expected sha256: and 64 hexadecimal digits"),
        ({"digest": None}, "digest: expected"),
        ({"commit": "b" * 39}, "commit: expected 40 hexadecimal digits"),
        ({"commit": "B" * 40}, "commit: expected"),
        ({"run_number": 0}, "run_number: expected an integer of 1 or more, got '0'"),
        ({"run_number": "7"}, "run_number"),
        ({"run_number": True}, "run_number: expected"),
        ({"run_attempt": 0}, "run_attempt: expected an integer of 1 or more"),
        ({"outcome": "skipped"}, "outcome: expected one of success, failure, cancelled, rejected, got 'skipped'"),
        ({"outcome": None}, "outcome: expected one of"),
        ({"more": 1}, "expected the keys key, digest, commit, run_number, run_attempt, outcome"),
    ],
)
def test_a_release_that_is_told_wrongly_is_refused(store, change, says):
    with pytest.raises(StoreError, match=f"release.json: {says}"):
        released(store.bundle(DIGEST), json.dumps(RELEASE | change).encode(), "release.json")


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "expected the keys"),
        (b'{"key": "x"}', "expected the keys"),
    ],
)
def test_a_file_that_tells_of_no_release_is_refused(store, content, says):
    with pytest.raises(StoreError, match=f"release.json: {says}"):
        released(store.bundle(DIGEST), content, "release.json")
