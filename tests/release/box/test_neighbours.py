"""Several services on one box: what one does to the memory and the releases of the others."""

import os
from collections.abc import Callable

import pytest

from slipway.errors import ReleaseError
from slipway.release.box import swap
from slipway.release.box.lock import Busy
from slipway.release.box.state import Box
from trials import DOWN, Run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="folders of another user can only be made by root")


@pytest.fixture
def make(tmp_path) -> Callable[..., Run]:
    """A service on a box that it shares."""

    def make(name: str, *neighbours: Run) -> Run:
        run = Run(Box(name, tmp_path))
        run.swap.shared, run.swap.neighbours = True, tuple(each.swap for each in neighbours)
        return run

    return make


@pytest.fixture
def insurance(make) -> Run:
    return make("insurance")


@pytest.fixture
def churn(make, insurance) -> Run:
    return make("churn", insurance)


def test_the_previous_release_is_stopped_once_it_is_idle_and_can_be_gone_back_to(churn):
    first, second = churn.release(1), churn.release(2)
    assert churn.trial.engine.running == [second]
    assert "run 1" in churn.swap.rollback()
    assert churn.box.live() == first
    assert churn.box.drained() == [second]
    assert churn.swap.drain() == []
    assert churn.trial.engine.running == [first]


def test_the_previous_release_ends_its_answers_first(churn):
    first = churn.release(1)
    churn.trial.busy[first] = 1
    second = churn.release(2)
    assert churn.swap.drain() == [first]
    assert churn.trial.engine.running == [first, second]
    del churn.trial.busy[first]
    assert churn.swap.drain() == []
    assert churn.trial.engine.running == [second]


def test_a_swap_waits_until_no_neighbour_drains(churn, insurance, monkeypatch):
    first = insurance.release(1)
    insurance.trial.busy[first] = 1
    insurance.release(2)
    monkeypatch.setattr(swap.time, "sleep", lambda seconds: insurance.trial.busy.clear())
    assert churn.release(1) == churn.box.live()
    assert first not in insurance.trial.engine.running


def test_a_swap_does_not_wait_for_ever(churn, insurance, monkeypatch):
    first = insurance.release(1)
    insurance.trial.busy[first] = 1
    insurance.release(2)
    monkeypatch.setattr(swap.time, "monotonic", iter(range(0, 10_000, 200)).__next__)
    monkeypatch.setattr(swap.time, "sleep", lambda seconds: None)
    with pytest.raises(Busy, match="other services still drain after 300 s: insurance. Run the workflow again later"):
        churn.release(1)
    assert churn.box.live() is None and first in insurance.trial.engine.running


def test_a_rollback_waits_for_nobody(churn, insurance):
    churn.release(1)
    churn.release(2)
    first = insurance.release(1)
    insurance.trial.busy[first] = 1
    insurance.release(2)
    assert "run 1" in churn.swap.rollback()


def test_a_neighbour_that_is_broken_keeps_nobody_from_releasing(churn, insurance):
    insurance.trial.engine.down = True
    assert churn.release(1) == churn.box.live()
    assert "warning: insurance cannot be drained" in churn.said
    assert DOWN not in "".join(churn.said)


def test_a_failure_of_one_touches_nothing_of_the_other(churn, insurance):
    live = insurance.release(1)
    churn.trial.engine.down = True
    with pytest.raises(ReleaseError, match=DOWN):
        churn.release(1)
    assert insurance.box.live() == live and insurance.trial.engine.running == [live]
    assert insurance.events() == [("start", 1), ("live", 1)]
