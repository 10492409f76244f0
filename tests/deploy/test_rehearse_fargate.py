"""What the rehearsal of Fargate counts, and what it calls wrong."""

from dataclasses import replace

import pytest

from rehearsal.fargate import Play
from rehearsal.traffic import Request, Traffic
from rehearse_fargate import LOSSES, RED, WANTED, kept, table, wrong


def sent(at: float, status: int = 200, release: str = "old") -> Request:
    return Request(at, at + 0.5, status, release, "bundle", "", True)


def plays() -> list[Play]:
    names = ("git revert", *RED, *LOSSES)
    return [Play(name, 100.0 * number, 100.0 * number + 90, int(name in RED), "", "new") for number, name in enumerate(names)]


def found(*more: Request) -> Traffic:
    return Traffic([*(sent(250.0 + each / WANTED) for each in range(WANTED)), *more])


def test_all_is_well_with_enough_requests_and_no_failure():
    assert wrong(plays(), found()) == []


def test_a_failure_is_wrong_wherever_it_is_but_where_requests_have_to_be_lost():
    lost = plays()[-1].begun + 1
    assert wrong(plays(), found(sent(lost, 502))) == []
    for at in (10.0, 95.0):  # within a play, and between two
        assert wrong(plays(), found(sent(at, 502))) == ["1 requests failed"]


def test_too_few_requests_and_a_slow_revert_are_wrong():
    assert wrong(plays(), Traffic([sent(1.0)])) == [f"1 requests instead of {WANTED:,}"]
    assert wrong(plays(), found(sent(70.0))) == ["70 s until all tasks answered with the reverted release"]
    assert wrong(plays(), found(sent(70.0, release="new"))) == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_release_has_to_end_as_it_should(number):
    made = plays()
    made[number] = replace(made[number], code=1 - made[number].code)
    assert wrong(made, found()) == [f"{made[number].what}: exit code {made[number].code}"]


def test_the_table_has_a_line_for_each_play_a_sum_and_what_failed():
    text = table(plays(), found(sent(plays()[-1].begun + 1, 502)))
    lines = text.splitlines()
    assert len(lines) == 1 + 1 + len(plays()) + 1 + 1
    assert f"{WANTED:,}" in lines[-2] and lines[-2].endswith(" 0")
    assert lines[-1] == f"{LOSSES[-1]}: 502"
    assert len(kept(plays(), found()).requests) == WANTED
