from datetime import date, timedelta

import msgspec
import numpy as np
import pytest

from slipway.monitoring.drift import Day, Look, Suspects, floor, look, suspicious, window
from watched import number, shifted

COLUMN = number()
START = date(2026, 11, 1)


def day(place: int, shift: float = 0.0, rows: int = 1_000, columns: int = 1, missing: float = 0.05) -> Day:
    """A day without noise; only the first column is moved."""
    usual = np.round(rows * shifted()).astype(int)
    first = np.round(rows * shifted(shift, missing)).astype(int)
    return Day(START + timedelta(place), rows, [first, *[usual] * (columns - 1)])


def looks(days: list[Day], columns: int = 1) -> list[Look]:
    """A look after each day."""
    found: list[Look] = []
    for seen in range(1, len(days) + 1):
        before = [one.suspects for one in found if one.suspects]
        found.append(look([COLUMN] * columns, days[:seen], before))
    return found


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([5_000], 1),
        ([10, 1_000], 1),
        ([10, 999], 2),
        ([300, 300, 300, 300, 300], 4),
        ([0, 0, 1_000, 0], 2),
        ([20, 20], 2),
        ([0], 1),
    ],
)
def test_a_window_has_as_few_days_as_give_enough_rows(rows, expected):
    assert window(rows) == expected


def test_a_window_ends_28_days_back():
    days = [day(place, rows=20) for place in range(40)]
    found = look([COLUMN], days)
    assert (found.day, found.days, found.rows) == (days[-1].day, 28, 560)
    gaps = [day(place, rows=20) for place in (0, 1, 28, 29, 30)]
    assert look([COLUMN], gaps).days == 3


def test_a_column_is_flagged_when_two_looks_running_suspect_it():
    found = looks([day(0), day(1, 0.5), day(2, 0.5), day(3), day(4, 0.5), day(5, 0.5)])
    assert [bool(one.flagged) for one in found] == [False, False, True, False, False, True]
    suspected, flagged = found[1].moves[0], found[2].moves[0]
    assert (suspected.since, suspected.flagged) == (START + timedelta(1), False)
    assert (flagged.since, flagged.flagged) == (START + timedelta(1), True)
    assert found[3].moves[0].since is None
    assert found[5].moves[0].since == START + timedelta(4)


def test_a_look_repeated_on_the_same_day_confirms_nothing_and_takes_nothing_back():
    days = [day(0), day(1, 0.5), day(2, 0.5)]
    first = look([COLUMN], days[:2])
    assert not look([COLUMN], days[:2], [first.suspects]).flagged
    second = look([COLUMN], days, [first.suspects])
    assert second.flagged and look([COLUMN], days, [first.suspects, second.suspects]).flagged


def test_no_new_rows_confirm_nothing():
    days = [day(0, 0.5)]
    assert not look([COLUMN], days, [look([COLUMN], days).suspects]).flagged


def test_too_few_rows_are_not_compared_and_the_look_before_still_counts():
    first = look([COLUMN], [day(0, 0.5, rows=300)])
    assert first.moves[0].since
    few = look([COLUMN], [day(0, 0.5, rows=199)])
    assert (few.rows, few.moves, few.suspects, few.flagged) == (199, (), None, ())
    later = look([COLUMN], [day(30, 0.5)], [first.suspects])
    assert later.flagged


def test_what_a_look_leaves_survives_a_file():
    left = look([COLUMN], [day(0, 0.5)]).suspects
    assert left == Suspects(START, {"field/bmi": START})
    assert msgspec.json.decode(msgspec.json.encode(left), type=Suspects) == left


def test_each_part_is_suspected_by_itself():
    move = look([COLUMN], [day(0, missing=0.4)]).moves[0]
    assert [change.part for change in move.changes if change.suspected] == ["missing"]
    assert move.effect == pytest.approx(0.92, abs=0.02)
    beyond = day(0)
    beyond.counts[0][3] = 30
    move = look([COLUMN], [beyond]).moves[0]
    assert [change.part for change in move.changes if change.suspected] == ["above"]


def test_a_difference_must_be_large_however_sure_it_is():
    move = look([number(rows=1_000_000)], [day(0, 0.15, rows=1_000_000)]).moves[0]
    assert move.changes[-1].p < 1e-300 and not move.changes[-1].suspected


def test_more_columns_need_more_evidence():
    """The bound is the one of all tests in a year, over the parts of a column, too."""
    p, enough = np.array([1.1e-4, 0.9e-4]) / 2, np.full(2, 0.2)
    assert suspicious(p, enough, enough, columns=10 * 365 // 365).tolist() == [True, True]
    limit = 1 / (365 * 20 * 2)
    assert suspicious(np.array([limit * 1.01, limit * 0.99]), enough, enough, columns=20).tolist() == [False, True]


def test_floors_follow_the_wobble_of_a_window():
    assert floor(np.array([0.0, 0.04, 0.1]), 1).tolist() == pytest.approx([0.2, 0.2, 0.4])
    assert floor(np.array([0.1]), 4).tolist() == pytest.approx([0.2])


def test_a_column_that_wobbles_by_itself_is_compared_with_its_wobble():
    days = [day(place, shift) for place, shift in enumerate([0.4, -0.4] * 12)]
    found = looks(days)
    assert all(one.flagged for one in found[1:20]), "nobody knows yet that it wobbles"
    assert [one.calibrated for one in found] == [False] * 20 + [True] * 4
    assert not any(one.flagged for one in found[20:])
    assert found[-1].moves[0].changes[-1].floor > 1


def test_a_lasting_change_stays_flagged_when_it_is_part_of_the_history():
    found = looks([day(place, 0.4 * (place >= 8)) for place in range(28)])
    assert [bool(one.flagged) for one in found] == [False] * 9 + [True] * 19


def test_days_that_were_counted_in_other_bins_are_refused():
    with pytest.raises(ValueError, match="2026-11-02 was counted in other bins"):
        look([COLUMN], [day(0), Day(START + timedelta(1), 9, [np.zeros(3, int)])])
    with pytest.raises(ValueError, match="2026-11-01 was counted in other bins"):
        look([COLUMN, COLUMN], [day(0)])
