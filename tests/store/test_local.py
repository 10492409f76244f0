import errno
import fcntl
import itertools
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

import killed
from slipway.errors import BundleError, StoreError
from slipway.model.bundle import MANIFEST, digest_of, packed
from slipway.store.atomic import locked
from slipway.store.journal import entry
from slipway.store.local import LocalStore, open_store
from slipway.store.pointer import Pointer

OLD, NEW, JUDGING = killed.OLD, killed.NEW, killed.JUDGING
POINTER = Pointer("a" * 64, "trial")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def prepared(root: Path) -> LocalStore:
    store = LocalStore(root)
    store.add("trial", OLD)
    store.point(POINTER)
    store.journal.append({"event": "old"})
    return store


def killed_at_every_step(write: str, folder: Path, prepare=lambda store: None):
    """A prepared store after each death; the last one was written in full."""
    for step in itertools.count(1):
        store = prepared(folder / str(step))
        prepare(store)
        status = killed.start(store.root, write, step).wait(60)
        assert status in (0, -signal.SIGKILL)
        yield store
        if status == 0:
            assert step > 4, "no step was seen"
            return


def test_a_killed_add_leaves_the_old_or_the_new_and_the_next_one_works(tmp_path):
    seen = set()
    for store in killed_at_every_step("add", tmp_path):
        found = [store.bundle(digest).read("model.json") for digest in store.digests()]
        assert sorted(found, reverse=True) in ([b"old"], [b"old", b"new"])
        seen.add(len(found))
        added = store.add("trial", NEW, JUDGING)
        assert store.bundle(added.digest).read("model.onnx") == NEW["model.onnx"]
        assert names(store.bundles) == store.digests()
    assert seen == {1, 2}


def test_a_killed_repair_is_done_by_the_next_add(tmp_path):
    digest = digest_of(packed("trial", NEW, JUDGING)[MANIFEST])

    def damage(store: LocalStore) -> None:
        (store.add("trial", NEW, JUDGING).folder / "model.json").write_bytes(b"bad")

    seen = set()
    for store in killed_at_every_step("add", tmp_path, damage):
        try:
            seen.add(store.bundle(digest).read("model.json"))
        except BundleError as error:
            seen.add("damaged" if "from the manifest" in str(error) else "absent")
        assert store.add("trial", NEW, JUDGING).read("model.json") == b"new"
        assert names(store.bundles) == store.digests()
    assert seen == {"damaged", "absent", b"new"}


def test_a_killed_pointing_leaves_the_old_or_the_new_and_the_next_one_works(tmp_path):
    seen = set()
    for store in killed_at_every_step("point", tmp_path):
        seen.add(store.pointer().digest)
        store.point(Pointer("c" * 64, "trial"))
        assert store.pointer().digest == "c" * 64
        assert names(store.root) == ["bundles", "champion.json", "journal.jsonl"]
    assert seen == {"a" * 64, "b" * 64}


def test_a_killed_decision_leaves_a_champion_of_whom_nothing_wrong_is_said(tmp_path):
    seen = set()
    for store in killed_at_every_step("decide", tmp_path):
        pointer = store.pointer()
        promoted, noted = pointer.digest == "b" * 64, [each["event"] for each in store.journal.entries()] == ["old", "verdict"]
        assert store.verdict(pointer).get("reasons") == (["better"] if promoted else None)
        seen.add((promoted, noted))
        store.decide(killed.DECISION | {"digest": "c" * 64, "reasons": ["better still"]})
        assert store.verdict(store.pointer())["reasons"] == ["better still"]
        assert names(store.root) == ["bundles", "champion.json", "journal.jsonl", "verdict.json"]
    assert seen == {(False, False), (True, False), (True, True)}


def stopped_between_verdict_and_pointer(folder: Path):
    """A store and the process that was stopped while it wrote a decision there."""
    for step in itertools.count(1):
        store = prepared(folder / str(step))
        slow = killed.start(store.root, "decide", step, by=signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(slow.pid, os.WUNTRACED)[1]), "never between the two"
        if store.verdicts() and store.pointer() == POINTER:
            return store, slow
        slow.kill()
        slow.wait(60)


def test_of_two_decisions_at_once_one_waits_and_both_verdicts_stay(tmp_path):
    store, slow = stopped_between_verdict_and_pointer(tmp_path)
    other = threading.Thread(target=store.decide, args=(killed.DECISION | {"digest": "c" * 64, "reasons": ["by hand"]},))
    try:
        with pytest.raises(BlockingIOError), locked(store.bundles, fcntl.LOCK_EX | fcntl.LOCK_NB):
            pytest.fail("nobody would have waited")
        other.start()
        slow.send_signal(signal.SIGCONT)
        assert slow.wait(60) == 0
        other.join(60)
    finally:
        slow.kill()
        slow.wait(60)
    assert store.pointer().digest == "c" * 64
    assert [each["reasons"] for each in store.verdicts()] == [["better"], ["by hand"]]
    assert [each.get("digest") for each in store.journal.entries()] == [None, "b" * 64, "c" * 64]


def test_a_killed_append_keeps_what_was_there_and_the_next_one_works(tmp_path):
    seen = set()
    for store in killed_at_every_step("append", tmp_path):
        before = [found["event"] for found in store.journal.entries()]
        store.journal.append({"event": "next"})
        after = [found["event"] for found in store.journal.entries()]
        assert after == [*before, "next"]
        seen.add(tuple(before))
    assert seen == {("old",), ("old", "new")}


def test_two_processes_may_add_the_same_bundle_at_once(store):
    writers = [killed.start(store.root, "add") for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert names(store.bundles) == store.digests() == [digest_of(packed("trial", NEW, JUDGING)[MANIFEST])]


def test_a_living_writer_is_waited_for(store):
    store.add("trial", OLD)
    slow = killed.start(store.root, "add", 10, by=signal.SIGSTOP)
    try:
        assert os.WIFSTOPPED(os.waitpid(slow.pid, os.WUNTRACED)[1])
        assert len(names(store.bundles)) == 2, "stopped before its folder is made or after it is renamed"
        handle = os.open(store.bundles, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        other = killed.start(store.root, "add")
        slow.send_signal(signal.SIGCONT)
        assert [slow.wait(60), other.wait(60)] == [0, 0]
    finally:
        slow.kill()
    assert len(names(store.bundles)) == len(store.digests()) == 2


def test_adding_twice_changes_nothing(store):
    first = store.add("trial", OLD)
    inode = first.folder.stat().st_ino
    assert store.add("trial", dict(reversed(OLD.items()))) == first
    assert first.folder.stat().st_ino == inode


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.json").write_bytes(b"other"),
        lambda folder: (folder / "model.json").unlink(),
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / "stray").write_bytes(b""),
        lambda folder: (shutil.rmtree(folder), folder.write_text("a file")),
        lambda folder: (shutil.rmtree(folder), folder.symlink_to("nowhere")),
    ],
)
def test_adding_repairs_a_damaged_bundle(store, damage):
    bundle = store.add("trial", OLD)
    damage(bundle.folder)
    with pytest.raises(BundleError):
        store.bundle(bundle.digest)
    store.add("trial", OLD)
    assert store.bundle(bundle.digest).read("model.json") == b"old"
    assert names(store.bundles) == [bundle.digest]


@pytest.mark.parametrize("call, at", [("fsync", 1), ("fsync", 3), ("replace", 1), ("mkdir", 4)])
def test_a_full_disk_is_told_and_leaves_nothing(store, monkeypatch, call, at):
    def full(*arguments, calls=itertools.count(1), real=getattr(os, call), **named):
        if next(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="cannot be written.*No space left.*Free disk space"):
            store.add("trial", OLD)
    assert names(store.bundles) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_pointer_stays_when_the_disk_is_full(store, monkeypatch, call):
    store.point(POINTER)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="champion.json: cannot be written.*No space left"):
            store.point(Pointer("b" * 64, "trial"))
    assert store.pointer() == POINTER
    assert names(store.root) == ["champion.json"]


def test_a_store_without_the_right_to_write_is_told(store, monkeypatch):
    store.add("trial", OLD)

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", refused)
        patch.setattr(os, "write", refused)
        patch.setattr(os, "replace", refused)
        assert store.add("trial", OLD).read("model.json") == b"old"
        for write, content in [(store.add, ("trial", NEW)), (store.point, (POINTER,)), (store.journal.append, ({},))]:
            with pytest.raises(StoreError, match="cannot be written .Read-only file system.. Get write permission there$"):
                write(*content)


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "artifacts").write_text("")
    store = LocalStore(tmp_path / "artifacts")
    for write, content in [(store.add, ("trial", OLD)), (store.point, (POINTER,)), (store.journal.append, ({},))]:
        with pytest.raises(StoreError, match="cannot be written"):
            write(*content)
    with pytest.raises(StoreError, match="cannot be read"):
        store.digests()


def test_a_bundle_is_found_by_the_start_of_its_digest(store):
    digest = store.add("trial", OLD).digest
    twin = store.bundles / (digest[:8] + "0" * 56)
    assert store.find(digest[:6]) == store.find(digest) == digest
    twin.mkdir()
    assert store.find(digest[:12]) == digest
    for prefix, says in [
        (digest[:8], "several"),
        (digest[:5], "at least 6"),
        ("", "at least 6"),
        ("0" * 6, "no such bundle"),
        ("../../", "no such bundle"),
        (digest.upper()[:12], "no such bundle"),
    ]:
        with pytest.raises(StoreError, match=says):
            store.find(prefix)


def test_a_bundle_is_chosen_by_its_digest_in_any_case_or_as_the_champion(store):
    champion, other = store.add("trial", OLD), store.add("trial", NEW)
    store.promote(champion, "promote", "by hand")
    assert store.chosen("trial", other.digest[:12].upper()).digest == other.digest
    assert store.chosen("trial", None).digest == champion.digest
    with pytest.raises(StoreError, match="at least 6"):
        store.chosen("trial", "")
    for digits in (None, other.digest):
        with pytest.raises(BundleError, match="belongs to the problem trial, not to churn"):
            store.chosen("churn", digits)


def test_who_asks_for_another_bundle_is_told_which_there_are(store):
    with pytest.raises(StoreError, match="There are none yet: run slipway train"):
        store.find("0" * 6)
    digest = store.add("trial", OLD).digest
    twin = digest[:15] + ("1" if digest[15] == "0" else "0") + "0" * 48
    (store.bundles / twin).mkdir()
    with pytest.raises(StoreError, match="Choose one of: ") as caught:
        store.find("0" * 6)
    assert digest[:16] in str(caught.value) and twin[:16] in str(caught.value)
    for number in range(10):
        (store.bundles / f"{number:064x}").mkdir()
    with pytest.raises(StoreError, match=" and 2 more"):
        store.find("f" * 6)


def test_a_store_without_anything(store):
    assert store.digests() == []
    assert store.pointer() is None
    assert store.journal.entries() == []
    with pytest.raises(BundleError, match="bundle aaaaaaaaaaaa is not in"):
        store.bundle("a" * 64)
    with pytest.raises(StoreError, match="no earlier champion"):
        store.previous()


def test_the_champion_is_the_bundle_that_the_pointer_names(store):
    with pytest.raises(StoreError, match="champion.json: no champion yet. Run slipway train first; commit the file"):
        store.champion()
    bundle = store.add("trial", OLD)
    store.promote(bundle, "promote", "for the test")
    assert store.champion() == bundle
    (bundle.folder / "model.json").write_bytes(b"bad")
    with pytest.raises(BundleError, match="model.json: differs from the manifest"):
        store.champion()


def test_a_promotion_of_the_present_champion_keeps_its_verdict_and_is_in_the_journal(store):
    bundle = store.add("trial", OLD)
    verdict = {"outcome": "promoted", "reasons": ["rmse 9 instead of 10"]}
    store.decide(entry("verdict", bundle, None, verdict), {"metric": "rmse"})
    before = (store.root / "verdict.json").read_bytes()
    store.promote(bundle, "promote", "promoted by hand")
    assert (store.root / "verdict.json").read_bytes() == before
    assert store.verdict(store.pointer())["changes"] == {"metric": "rmse"}
    assert [each["reasons"] for each in store.journal.entries()] == [["rmse 9 instead of 10"], ["promoted by hand"]]
    other = store.add("trial", NEW, JUDGING)
    store.promote(other, "promote", "promoted by hand")
    assert store.verdict(store.pointer())["reasons"] == ["promoted by hand"]


def test_verdicts_with_a_merge_conflict_stop_no_promotion_and_no_rollback(store):
    one, other = store.add("trial", OLD), store.add("trial", NEW)
    store.promote(one, "promote", "by hand")
    (store.root / "verdict.json").write_text("<<<<<<< HEAD\n")
    assert store.verdict(store.pointer()) == {} and store.verdicts_fault()
    store.promote(other, "rollback", "rolled back by hand")
    assert store.pointer().digest == store.journal.entries()[-1]["digest"] == other.digest
    assert store.verdict(store.pointer())["reasons"] == ["rolled back by hand"] and not store.verdicts_fault()


def test_a_bundle_that_is_the_champion_again_is_the_same_pointer(store):
    """And so the same release, whose image is found."""
    one, other = store.add("trial", OLD), store.add("trial", NEW)
    store.promote(one, "promote", "by hand")
    before = (store.root / "champion.json").read_bytes()
    store.promote(other, "promote", "by hand")
    store.promote(one, "rollback", "rolled back by hand")
    assert (store.root / "champion.json").read_bytes() == before


def test_a_pipe_in_place_of_the_pointer_is_told(store):
    store.root.mkdir(parents=True, exist_ok=True)
    os.mkfifo(store.root / "champion.json")
    with pytest.raises(StoreError, match=r"champion.json: cannot be read \(not a plain file\)"):
        store.pointer()


@pytest.mark.parametrize("digest", ["", ".", "..", "../bundles", "a" * 63])
def test_what_is_no_digest_names_no_folder(store, digest):
    store.add("trial", OLD)
    (store.bundles / ("a" * 63)).mkdir()
    with pytest.raises(BundleError, match="is not in"):
        store.bundle(digest)


def test_where_a_store_is(tmp_path):
    assert open_store(tmp_path).root == tmp_path / "artifacts"


def promoted(store: LocalStore, *contents: bytes) -> list[str]:
    """Digests of bundles that were champions, in this order."""
    digests = []
    for content in contents:
        bundle = store.add("trial", {"model.json": content})
        store.promote(bundle, "promote", "for the test")
        digests.append(bundle.digest)
    return digests


def roll_back(store: LocalStore) -> str:
    bundle = store.bundle(store.previous())
    store.promote(bundle, "rollback", "for the test")
    return store.pointer().digest


def test_two_rollbacks_go_back_two_and_a_third_is_refused(store):
    one, two, _ = promoted(store, b"1", b"2", b"3")
    assert [roll_back(store), roll_back(store)] == [two, one]
    with pytest.raises(StoreError, match="no earlier champion"):
        store.previous()


def test_a_promotion_after_a_rollback_goes_back_to_what_was_rolled_back_to(store):
    one, two = promoted(store, b"1", b"2")
    assert roll_back(store) == one
    promoted(store, b"3")
    assert roll_back(store) == one


def test_a_bundle_that_was_champion_twice(store):
    one, two, _ = promoted(store, b"1", b"2", b"1")
    assert [roll_back(store), roll_back(store)] == [two, one]


def test_promoting_the_champion_again_is_no_step(store):
    one, _, _ = promoted(store, b"1", b"2", b"2")
    assert roll_back(store) == one


def test_a_rollback_after_the_pointer_was_reverted_in_git(store):
    one, two, _ = promoted(store, b"1", b"2", b"3")
    store.point(Pointer(two, "trial"))
    assert roll_back(store) == one


def test_a_promotion_after_the_pointer_was_reverted_in_git(store):
    one, two, _ = promoted(store, b"1", b"2", b"3")
    store.point(Pointer(two, "trial"))
    promoted(store, b"4")
    assert [roll_back(store), roll_back(store)] == [two, one]


def test_a_rollback_to_a_champion_that_came_by_git(store):
    cloned = store.add("trial", {"model.json": b"1"})
    store.point(Pointer(cloned.digest, "trial"))
    promoted(store, b"2")
    assert roll_back(store) == cloned.digest


def test_a_rollback_from_a_champion_that_came_by_git(store):
    _, two = promoted(store, b"1", b"2")
    store.point(Pointer("f" * 64, "trial"))
    assert roll_back(store) == two


def test_what_was_kept_is_not_gone_back_to(store):
    one, two = promoted(store, b"1", b"2")
    kept = store.add("trial", {"model.json": b"3"})
    store.journal.append(entry("verdict", kept, two, {"outcome": "kept", "reasons": []}))
    assert roll_back(store) == one
