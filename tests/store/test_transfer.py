"""Push and pull; run as a program, it does one of its jobs: python test_transfer.py JOB ARGUMENTS."""

import http.client
import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import killed
import s3
from slipway.errors import BundleError, StoreError
from slipway.model.bundle import digest_of, manifest_bytes
from slipway.store.local import LocalStore
from slipway.store.remote import S3Store, open_remote
from slipway.store.transfer import add_entries, pull, push, released

FILES = {"model.json": b"{}", "model.onnx": b"x" * 3000}
DIGEST = digest_of(manifest_bytes("trial", FILES))
FOLDER = f"models/a/bundles/{DIGEST}/"
RELEASE = {
    "key": "4fd1", "digest": f"sha256:{'a' * 64}", "commit": "b" * 40, "run_number": 7, "run_attempt": 1, "outcome": "success",
}
ENTRIES = [{"event": "verdict", "at": "2026-01-01T00:00:00+00:00", "digest": DIGEST, "reasons": ["größer"]},
           {"event": "promote", "at": "2026-01-02T00:00:00+00:00", "digest": DIGEST, "reasons": []}]


@pytest.fixture
def store(tmp_path) -> LocalStore:
    """Where it was trained."""
    made = LocalStore(tmp_path / "here")
    made.add("trial", FILES)
    return made


@pytest.fixture
def clone(tmp_path) -> LocalStore:
    """Another machine."""
    return LocalStore(tmp_path / "there")


class Told(list):
    """What the progress was told: name and what is done."""

    def __call__(self, number: int, total: int, name: str, size: int, what: str) -> None:
        self.append((name, what))


def silent(*_) -> None:
    pass


def kinds(bucket) -> list[str]:
    return [call.kind for call in bucket.proxy.calls]


def journal(bucket) -> list[dict]:
    return [json.loads(line) for line in bucket.objects()["models/a/journal.jsonl"].splitlines()]


def assert_sound(bucket, root: Path) -> None:
    """A machine that has nothing yet gets the bundle."""
    fresh = LocalStore(root)
    assert pull(fresh, bucket.remote(), DIGEST, silent) == "fetched"
    assert fresh.bundle(DIGEST).read("model.onnx") == FILES["model.onnx"]


def test_what_is_pushed_can_be_pulled_elsewhere(bucket, store, clone):
    told = Told()
    push(store, bucket.remote(), DIGEST, told)
    assert [name for name, what in told if what == "uploaded"] == ["model.json", "model.onnx", "manifest.json"]
    assert bucket.objects() == {
        FOLDER + path.name: path.read_bytes() for path in (store.bundles / DIGEST).iterdir()
    }
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


@pytest.mark.parametrize("name", ["model.json", "manifest.json"])
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


@pytest.mark.parametrize("manifest, says", [
    (b'{"format": 2}', "format 2 was written by a newer Slipway. Upgrade"),
    (b'{"format": 2, "files": ["model.json"]}', "newer Slipway"),
    (b'{"format":1,"problem":"x","files":{"../../escaped":{"bytes":1,"sha256":"' + b"0" * 64 + b'"}}}', "not a manifest"),
    (b'{"format":1,"problem":"x","files":{"a":7}}', "not a manifest"), (b"[]", "not a manifest"), (b"\xff", "not a manifest"),
])
def test_a_manifest_that_this_version_cannot_read_is_refused_and_leaves_nothing(bucket, clone, manifest, says):
    digest = digest_of(manifest)
    bucket.put(f"bundles/{digest}/manifest.json", manifest)
    bucket.put(f"bundles/{digest}/../../escaped", b"x")
    with pytest.raises(BundleError, match=f"{digest}/manifest.json: .*{says}"):
        pull(clone, bucket.remote(), digest, silent)
    assert list(clone.bundles.iterdir()) == []


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "model.json").write_bytes(b"[]"), lambda folder: (folder / "model.json").unlink(),
    lambda folder: (folder / "stray").write_bytes(b""),
])
def test_a_bundle_that_is_damaged_here_is_repaired(bucket, store, damage):
    push(store, bucket.remote(), DIGEST, silent)
    damage(store.bundles / DIGEST)
    assert pull(store, bucket.remote(), DIGEST, silent) == "repaired"
    assert store.bundle(DIGEST).read("model.json") == FILES["model.json"]
    assert [path.name for path in store.bundles.iterdir()] == [DIGEST]


def test_a_repair_that_fails_leaves_what_was_there(bucket, store):
    (store.bundles / DIGEST / "model.json").write_bytes(b"[]")
    with pytest.raises(StoreError, match="is not in"):
        pull(store, bucket.remote(), DIGEST, silent)
    assert (store.bundles / DIGEST / "model.onnx").read_bytes() == FILES["model.onnx"]


@pytest.mark.parametrize("change, kinds", [
    (s3.cut, ("list", "get")), (lambda raw: b"", ("list", "get")), (s3.flipped, ("get",)),
    (lambda raw: s3.flipped(s3.without_sums(raw)), ("get",)),
], ids=["cut", "lost", "flipped", "flipped without a sum"])
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
    assert len(lost) == 3 + ("list" in kinds)


@pytest.mark.parametrize("number", range(1, 6))
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


@pytest.mark.parametrize("change, says", [
    ({"key": ""}, "key: expected a text, got ''"), ({"key": 7}, "key: expected a text"),
    ({"digest": "a" * 64}, "digest: expected sha256: and 64 hexadecimal digits"), ({"digest": None}, "digest: expected"),
    ({"commit": "b" * 39}, "commit: expected 40 hexadecimal digits"), ({"commit": "B" * 40}, "commit: expected"),
    ({"run_number": 0}, "run_number: expected an integer of 1 or more, got '0'"), ({"run_number": "7"}, "run_number"),
    ({"run_number": True}, "run_number: expected"), ({"run_attempt": 0}, "run_attempt: expected an integer of 1 or more"),
    ({"outcome": "skipped"}, "outcome: expected one of success, failure, cancelled, rejected, got 'skipped'"),
    ({"outcome": None}, "outcome: expected one of"),
    ({"more": 1}, "expected the keys key, digest, commit, run_number, run_attempt, outcome"),
])
def test_a_release_that_is_told_wrongly_is_refused(store, change, says):
    with pytest.raises(StoreError, match=f"release.json: {says}"):
        released(store.bundle(DIGEST), json.dumps(RELEASE | change).encode(), "release.json")


@pytest.mark.parametrize("content, says", [
    (b"", "not JSON"), (b"\xff", "not JSON"), (b"[]", "expected the keys"), (b'{"key": "x"}', "expected the keys"),
])
def test_a_file_that_tells_of_no_release_is_refused(store, content, says):
    with pytest.raises(StoreError, match=f"release.json: {says}"):
        released(store.bundle(DIGEST), content, "release.json")


def start(job: str, *arguments: object, **more) -> subprocess.Popen:
    """A job in a process of its own."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-B", __file__, job, *map(str, arguments)], env=environ, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **more,
    )


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
    assert err == f"{clone.bundles}: cannot be written (File too large)\n"
    assert list(clone.bundles.iterdir()) == []


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


# what follows runs in processes of their own

def remote_at(url: str):
    return open_remote(SimpleNamespace(remote=url))


def do_push(url: str, root: str) -> None:
    push_all(remote_at(url), root)


def push_all(remote: S3Store, root: str) -> None:
    push(LocalStore(Path(root)), remote, DIGEST, silent)
    add_entries(remote, ENTRIES)


def do_pull(url: str, root: str) -> None:
    pull(LocalStore(Path(root)), remote_at(url), DIGEST, silent)


def do_append(url: str, name: str) -> None:
    remote = remote_at(url)
    for number in range(10):
        add_entries(remote, [{"event": "verdict", "who": name, "number": number}])


def dies(death: killed.Death, work) -> bool:
    """Whether a copy of this process dies of it while it does the work."""
    child = os.fork()
    if not child:
        death.armed = True
        work()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def kill_push(bucket: str, root: str) -> None:
    """Push to a new prefix each time, and die a step later: a step is before and after each sending."""
    send, client = http.client.HTTPConnection.send, remote_at(f"s3://{bucket}").client
    for step in itertools.count(1):
        death = killed.Death(root, step, signal.SIGKILL)

        def halting(connection, data, death=death):
            death.step()
            send(connection, data)
            death.step()

        http.client.HTTPConnection.send = halting
        remote = S3Store(client, bucket, f"{step}/")
        print(remote.prefix, flush=True)
        if not dies(death, lambda remote=remote: push_all(remote, root)):
            return


def kill_pull(url: str, folder: str, state: str) -> None:
    """Pull into a new folder each time, and die a step later; the steps are those of killed.py."""
    remote, deaths = remote_at(url), [killed.Death(folder, 0, signal.SIGKILL)]
    sys.addaudithook(lambda event, arguments: deaths[0].audit(event, arguments))
    for step in itertools.count(1):
        store = LocalStore(Path(folder, str(step)))
        store.bundles.mkdir(parents=True)
        if state:
            (store.add("trial", FILES).folder / "model.json").write_bytes(b"[]")
        death = deaths[0] = killed.Death(folder, step, signal.SIGKILL)

        def work(death=death, store=store):
            io.open, os.write, os.fsync = death.open, death.write, death.fsync
            pull(store, remote, DIGEST, silent)

        print(store.root, flush=True)
        if not dies(death, work):
            return


JOBS = {"push": do_push, "pull": do_pull, "append": do_append, "kill-push": kill_push, "kill-pull": kill_pull}

if __name__ == "__main__":
    try:
        JOBS[sys.argv[1]](*sys.argv[2:])
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
