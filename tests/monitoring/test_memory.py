"""What looks leave for the next, whatever machine makes it."""

import json
from datetime import date

import pytest

from slipway.monitoring.drift import Suspects
from slipway.monitoring.memory import KEPT, STATE, State, exchange_state, journal_of, push_looks, recalled, remember
from slipway.monitoring.partitions import Log
from slipway.store.local import LocalStore
from slipway.store.remote import S3Store

DIGEST, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def machines(tmp_path) -> tuple[Log, Log]:
    logs = Log(tmp_path / "here"), Log(tmp_path / "there")
    for log in logs:
        log.make()
    return logs


def looks(*days: int, key: str = "field/bmi") -> tuple[Suspects, ...]:
    return tuple(Suspects(date(2026, 11, day), {key: date(2026, 11, day)}) for day in days)


def days(state: State) -> list[int]:
    return [each.day.day for each in state.looks]


def test_looks_at_another_bundle_and_files_that_are_none_leave_nothing(machines):
    log, _ = machines
    assert recalled(log, DIGEST) == State(DIGEST)
    remember(log, State(DIGEST, looks(1)))
    assert days(recalled(log, DIGEST)) == [1] and recalled(log, OTHER) == State(OTHER)
    (log.root / STATE).write_bytes(b'{"bundle": 1')
    assert recalled(log, DIGEST) == State(DIGEST)


def test_a_state_keeps_the_last_looks_in_their_order_and_one_a_day():
    state = State(DIGEST, looks(3, 1)).with_looks(looks(2, 3, key="score"))
    assert days(state) == [1, 2, 3] and state.looks[-1].since.keys() == {"score"}
    many = State(DIGEST).with_looks(Suspects(date.fromordinal(day), {}) for day in range(1, KEPT + 10))
    assert len(many.looks) == KEPT and many.looks[-1].day == date.fromordinal(KEPT + 9)


def test_a_new_machine_knows_the_looks_of_the_one_before(machines, bucket):
    here, there = machines
    remember(here, State(DIGEST, looks(1)))
    exchange_state(here, DIGEST, bucket.remote())
    exchange_state(there, DIGEST, bucket.remote())
    assert recalled(there, DIGEST) == State(DIGEST, looks(1))


def test_two_machines_at_once_lose_no_look(machines, bucket, monkeypatch):
    """The other one writes between our read and our write: S3 refuses ours, and we begin anew with what is there now."""
    here, there = machines
    remember(here, State(DIGEST, looks(1)))
    remember(there, State(DIGEST, looks(2)))
    write, late = S3Store.write, [there]

    def overtaken(store, name, *arguments, **more):
        if late:
            exchange_state(late.pop(), DIGEST, bucket.remote())
        write(store, name, *arguments, **more)

    monkeypatch.setattr(S3Store, "write", overtaken)
    exchange_state(here, DIGEST, bucket.remote())
    assert days(recalled(here, DIGEST)) == [1, 2]
    assert days(State(DIGEST, tuple(_stored(bucket)))) == [1, 2]


def _stored(bucket) -> list[Suspects]:
    found = json.loads(bucket.objects()["models/a/log/watch.json"])
    return [Suspects(date.fromisoformat(each["day"]), each["since"]) for each in found["looks"]]


def test_before_the_first_look_nothing_is_written(machines, bucket):
    exchange_state(machines[0], DIGEST, bucket.remote())
    assert bucket.objects() == {} and not (machines[0].root / STATE).exists()


def test_looks_at_the_champion_before_are_replaced(machines, bucket):
    here, there = machines
    remember(here, State(OTHER, looks(1)))
    exchange_state(here, OTHER, bucket.remote())
    remember(there, State(DIGEST, looks(2)))
    exchange_state(there, DIGEST, bucket.remote())
    assert [each.day.day for each in _stored(bucket)] == [2]


def test_the_journal_is_that_of_all_machines_and_looks_are_added_to_it(tmp_path, bucket):
    here, there = LocalStore(tmp_path / "here"), LocalStore(tmp_path / "there")
    mine = {"event": "watch", "at": "2026-11-02T00:00:00+00:00"}
    here.journal.append(mine)
    here.journal.append({"event": "verdict", "at": "2026-11-03T00:00:00+00:00"})
    for _ in range(2):
        push_looks(here, bucket.remote())
    first = {"event": "watch", "at": "2026-11-01T00:00:00+00:00"}
    there.journal.append(first)
    assert journal_of(there, bucket.remote()) == [first, mine]
    assert [each["event"] for each in journal_of(here, bucket.remote())] == ["watch", "verdict"]  # the look is in both
    assert journal_of(there, None) == [first]
