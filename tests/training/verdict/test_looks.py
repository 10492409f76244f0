import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import s3
from slipway.store.local import LocalStore
from slipway.store.transfer import add_entries
from slipway.table.schema import Schema
from slipway.training.verdict.looks import Held, Look, Looks, held_rows, looks_of, past_looks
from tables import charges, problem

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = Schema(())


def rows(first: int, last: int) -> Held:
    """Held-out rows with the ids from `first` to before `last`."""
    return held_rows(pd.DataFrame({"id": [f"r{number}" for number in range(first, last)]}), PLAIN, ["id"])


def entry(look: Look, number: int, outcome: str = "kept", days: int = 30, **more) -> dict:
    """The journal's entry of the challenger `number`, so many days times its number after the start."""
    at = (START + timedelta(days=days * number)).isoformat()
    noted = {"at": at, "problem": "a", "digest": str(number), "champion": None, "outcome": outcome, "look": look.to_json()}
    return noted | {"event": "verdict", "who": "x", "reasons": [], **more}


def played(helds, outcomes=(), days: int = 30, budget: float = 0.1) -> list[Look]:
    """The looks of one training after another, each at the rows of its turn."""
    entries, looks = [], []
    for number, held in enumerate(helds):
        now = START + timedelta(days=days * number)
        looks.append(Looks(past_looks(entries, "a"), budget).next(str(number), None, held, now))
        outcome = outcomes[number] if number < len(outcomes) else "kept"
        entries.append(entry(looks[-1], number, outcome, days))
    return looks


def allowed(looks) -> list[float]:
    return [look.allowed for look in looks]


def test_the_looks_of_a_year_share_its_budget_the_first_have_most_of_it():
    looks = played([rows(0, 500)] * 12)
    assert allowed(looks[:3]) == pytest.approx([0.1 * 2 / 3, 0.1 / 6, 0.1 / 15])
    assert sum(allowed(looks)) < 0.1 and min(allowed(looks)) > 0
    assert [look.number for look in looks] == list(range(1, 13))


def test_a_promotion_costs_nothing():
    looks = played([rows(0, 500)] * 4, ["promoted", "kept", "promoted", "kept"])
    assert allowed(looks) == pytest.approx([0.1 * 2 / 3, 0.1 * 2 / 3, 0.1 / 6, 0.1 / 6])
    assert [look.kept for look in looks] == [0, 0, 1, 1]


def test_the_next_year_begins_anew():
    looks = played([rows(0, 500)] * 15)
    assert [looks[number].number for number in (11, 12, 13, 14)] == [12, 13, 1, 2], "day 390 is of another year"
    assert looks[13].allowed == looks[0].allowed and looks[14].allowed == looks[1].allowed


def test_unseen_rows_renew_what_the_year_has_left():
    few, many = (played([rows(0, 500), rows(0, 500), rows(*fresh)]) for fresh in ((50, 550), (300, 800)))
    assert few[2].allowed == pytest.approx(0.1 / 15)
    assert many[2].allowed == pytest.approx((0.1 - 0.1 * 2 / 3 - 0.1 / 6) * 2 / 3) and many[2].allowed > few[2].allowed


@pytest.mark.parametrize("grow", [0, 40, 100, 500])
def test_no_year_spends_more_than_its_budget(grow):
    looks = played([rows(grow * turn, 500 + grow * turn) for turn in range(60)], days=6)
    assert sum(allowed(looks)) <= 0.1 + 1e-12


def test_the_same_models_on_the_same_rows_are_the_same_look():
    held, later = rows(0, 500), START + timedelta(days=60)
    first, second = played([held, held])
    entries = [entry(first, 0), entry(second, 1), entry(first, 0, days=3)]
    looks = Looks(past_looks(entries, "a"), 0.1)
    assert looks.next("0", None, held, later) == first
    assert looks.next("0", "another champion", held, later).number == 3


def test_other_entries_are_no_looks():
    look = played([rows(0, 500)])[0]
    others = [
        {"event": "release"},
        entry(look, 1) | {"at": "yesterday"},
        entry(look, 2) | {"look": {"allowed": "much"}},
        entry(look, 3) | {"problem": "b"},
    ]
    assert past_looks(others, "a") == ()


def test_what_is_unknown_is_not_claimed():
    known, unknown = (Looks((), 0.1, why).next("0", None, rows(0, 50), START) for why in ("", "remote is not set"))
    assert (known.yearly, unknown.yearly, unknown.unknown) == (0.1, None, "remote is not set")
    assert known.allowed == unknown.allowed


@pytest.mark.parametrize(
    ("first", "last", "share"), [(0, 5000, 0), (0, 6250, 0.2), (2500, 7500, 0.5), (5000, 10000, 1), (0, 2500, 0)]
)
def test_the_share_of_unseen_rows_is_estimated(first, last, share):
    assert rows(first, last).unseen_by(rows(0, 5000)) == pytest.approx(share, abs=0.15)


def test_few_rows_are_compared_exactly():
    assert rows(0, 40).unseen_by(rows(10, 50)) == 0.25


def test_rows_without_an_id_are_known_by_their_features():
    frame = pd.DataFrame({"x": np.arange(50.0), "y": "a", "target": 1})
    schema = Schema(())
    assert held_rows(frame, schema, ["x", "y"]) == held_rows(frame.sample(frac=1, random_state=0), schema, ["y", "x"])
    assert len(held_rows(frame, schema, ["x"]).hashes) == 50 * 10


def test_looks_of_other_machines_are_read(tmp_path, bucket):
    """A look that two journals have is one look."""
    first, second = played([rows(0, 500)] * 2)
    store, asked = LocalStore(tmp_path), problem(tmp_path, charges(60), "charges", name="a", remote=bucket.url)
    store.journal.append(entry(first, 0))
    add_entries(bucket.remote(), [entry(first, 0), entry(second, 1)])
    looks = looks_of(asked, store)
    assert (len(looks.past), looks.unknown, looks.budget) == (2, "", pytest.approx(0.1))


def test_a_remote_that_does_not_answer_is_said(tmp_path, bucket):
    """At once: one call, and the looks of this machine count."""
    calls = []
    bucket.proxy.fault = lambda call, forward: calls.append(call) or s3.DENIED
    store, asked = LocalStore(tmp_path), problem(tmp_path, charges(60), "charges", name="a", remote=bucket.url)
    store.journal.append(entry(played([rows(0, 500)])[0], 0))
    looks = looks_of(asked, store)
    assert len(looks.past) == len(calls) == 1
    assert re.match(r"the remote journal cannot be read \(s3://.*AccessDenied", looks.unknown), looks.unknown


def test_without_a_remote_only_this_machine_counts(tmp_path):
    assert looks_of(problem(tmp_path, charges(60), "charges"), LocalStore(tmp_path)).unknown == "remote is not set"
