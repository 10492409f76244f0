import fcntl
import os

import pyarrow
import pytest

import killed
from slipway.errors import StoreError
from slipway.store.atomic import locked
from slipway.store.local import LocalStore
from slipway.store.snapshots import ABOUT, TABLE, TRAINING, KeptData
from slipway.table.identity import fingerprint

ROWS = pyarrow.table(
    {
        "text": ["1", None, " x"],
        "number": pyarrow.array([1, None, 2**60]),
        "half": [0.5, None, 2.0],
        "when": pyarrow.array([0, 1, None], pyarrow.timestamp("ms", "UTC")),
        "level": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
        "none": pyarrow.nulls(3),
    }
)
ONE = pyarrow.table({"a": ["x"]})


@pytest.fixture
def kept(tmp_path):
    return KeptData(tmp_path / "artifacts" / "data")


def tables(kept, number: int, size: int = 1) -> list[str]:
    """Tables kept one after another, the first the longest ago."""
    found = []
    for each in range(number):
        found.append(kept.keep(pyarrow.table({"a": [f"{each}" * size]}), {}))
        os.utime(kept.root / found[-1], (each, each))
    return found


def test_what_is_kept_is_read_back_as_it_was_with_its_types(kept):
    named = kept.keep(ROWS, {"seen": 7})
    table, about = kept.read(named)
    assert named == fingerprint(ROWS) and about == {"seen": 7}
    assert table.schema.types[:4] == ROWS.schema.types[:4]
    assert table.to_pandas().equals(ROWS.to_pandas())


def test_what_is_there_is_not_written_again(kept):
    first = kept.keep(ONE, {})
    inode = (kept.root / first / TABLE).stat().st_ino
    assert kept.keep(ONE, {}) == first
    assert (kept.root / first / TABLE).stat().st_ino == inode


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda folder: (folder / TABLE).write_bytes(b"other"), "its SHA-256 differs from the one in about.json"),
        (lambda folder: (folder / TABLE).unlink(), "cannot be read"),
        (lambda folder: (folder / ABOUT).write_text("{}"), "was not written by slipway train"),
    ],
)
def test_damage_is_said_and_the_next_training_repairs_it(kept, damage, message):
    named = kept.keep(ONE, {})
    damage(kept.root / named)
    with pytest.raises(StoreError, match=message):
        kept.read(named)
    kept.keep(ONE, {})
    assert kept.read(named)[0].equals(ONE)


def test_data_under_another_name_are_refused(kept):
    named = kept.keep(ONE, {})
    (kept.root / named).rename(kept.root / ("0" * 64))
    with pytest.raises(StoreError, match="does not match its fingerprint"):
        kept.read("0" * 64)


def test_a_few_digits_name_data_if_they_are_enough(kept):
    named = kept.keep(ONE, {})
    assert kept.find(named[:6]) == named
    with pytest.raises(StoreError, match="at least 6 digits"):
        kept.find(named[:5])
    with pytest.raises(StoreError, match=f"no such data in .*Choose one of: {named[:12]}"):
        kept.find("f" * 12 if named[0] != "f" else "0" * 12)


def test_the_last_used_are_kept_and_the_champions_always(kept):
    oldest, older, newer, newest = tables(kept, 4)
    assert kept.prune(2, 1 << 30, {oldest}) == [newer, older]
    assert set(kept.sizes()) == {oldest, newest}


def test_a_table_used_again_is_not_the_oldest(kept):
    first, second, third = tables(kept, 3)
    kept.keep(pyarrow.table({"a": ["0"]}), {})
    kept.prune(2, 1 << 30, set())
    assert set(kept.sizes()) == {first, third}


def test_what_is_too_large_goes_first_by_age(kept):
    first, second, third = tables(kept, 3)
    assert kept.prune(5, sum(kept.sizes().values()) - 1, set()) == [first]
    assert kept.prune(5, 0, {third}) == [second]
    assert set(kept.sizes()) == {third}


def test_a_table_that_was_repeated_from_is_not_the_oldest(kept):
    first, second, third = tables(kept, 3)
    kept.read(first)
    assert kept.prune(2, 1 << 30, set()) == [second]


def test_nothing_is_removed_while_another_training_may_need_it(kept):
    (named,) = tables(kept, 1)
    with kept.in_use():
        assert kept.prune(0, 0, set()) == []
    assert kept.prune(0, 0, set()) == [named]


def test_a_training_that_begins_meanwhile_waits_until_tables_are_removed(kept, monkeypatch):
    tables(kept, 1)
    free = []

    def sizes(self, real=KeptData.sizes):
        try:
            with locked(kept.root / TRAINING, fcntl.LOCK_SH | fcntl.LOCK_NB):
                free.append(True)
        except BlockingIOError:
            free.append(False)
        return real(self)

    monkeypatch.setattr(KeptData, "sizes", sizes)
    kept.prune(0, 0, set())
    assert free == [False]


def test_a_table_that_was_read_again_is_repeated_as_it_was_read_last(kept):
    """Such as a sample of a table that has grown by other rows."""
    named = kept.keep(ONE, {"seen": 1})
    assert kept.keep(ONE, {"seen": 2}) == named
    assert kept.read(named) == (ONE, {"seen": 2})


def test_nothing_kept_is_nothing_to_remove(kept):
    assert kept.prune(0, 0, set()) == [] and kept.sizes() == {}


def test_a_killed_writer_leaves_all_or_nothing_and_the_next_one_works(tmp_path):
    seen, step, status = set(), 0, -9
    while status:
        step += 1
        kept = KeptData(tmp_path / str(step) / "data")
        kept.root.parent.mkdir()
        status = killed.start(kept.root.parent, "keep", step).wait(60)
        seen.add(tuple(kept.sizes()))
        for named in kept.sizes():
            assert kept.read(named)[0].equals(ONE)
        named = kept.keep(ONE, {"seen": 1})
        assert [path.name for path in kept.root.iterdir()] == [named]
    assert seen == {(), (named,)} and step > 5


def test_two_processes_may_keep_the_same_at_once(tmp_path):
    writers = [killed.start(LocalStore(tmp_path).root, "keep") for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert [path.name for path in (tmp_path / "data").iterdir()] == [fingerprint(ONE)]
