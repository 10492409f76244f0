"""What a run does on a box when a step fails, a run is killed, or a release still answers: without an engine."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from slipway.errors import ReleaseError
from slipway.release.box import plan as steps
from slipway.release.box.lock import Busy, exclusive
from slipway.release.box.program import Log, history_lines
from slipway.release.box.state import Box
from trials import DOWN, Run, request

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="folders of another user can only be made by root")


@pytest.fixture
def make(tmp_path):
    def make(**settings) -> Run:
        return Run(Box("insurance", tmp_path), **settings)

    return make


@pytest.fixture
def run(make) -> Run:
    return make()


def test_a_release_that_hangs_is_removed_although_it_never_gets_idle(run):
    first = run.release(1)
    run.trial.fails[steps.AwaitReady] = ReleaseError("not ready")
    run.trial.requests = lambda id: 1  # the probes that it never answered
    with pytest.raises(ReleaseError, match="not ready"):
        run.release(2)
    assert run.trial.engine.running == [first] and run.box.folders() == [first]
    assert run.events()[-2:] == [("start", 2), ("failed", 2)]
    assert any("its last words" in line for line in run.said)


@pytest.mark.parametrize("error", [ReleaseError("no"), OSError("no"), ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", [steps.Docker, steps.Remember, steps.AwaitReady, steps.CheckAnswer, steps.Point, steps.Probe])
def test_whatever_fails_the_old_release_is_live_and_the_history_says_so(run, step, error):
    first = run.release(1)
    run.trial.fails[step] = error
    with pytest.raises(type(error)):
        run.release(2)
    assert run.box.live() == first
    assert run.events() == [("start", 1), ("live", 1), ("start", 2), ("failed", 2)]


def test_a_daemon_that_is_down_is_a_release_that_failed(run):
    run.trial.engine.down = True
    with pytest.raises(ReleaseError, match=DOWN):
        run.release(1)
    assert run.events() == [("start", 1), ("failed", 1)]


@pytest.fixture
def unread(monkeypatch) -> Callable[[], None]:
    """Ends who reads standard output, as a cancelled job ends its tee, but not the program of another user."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        yield lambda: monkeypatch.setattr("sys.stdout", output)


@pytest.mark.parametrize("step", [steps.Remember, steps.AwaitReady, steps.Point, steps.Probe])
def test_a_log_that_nobody_reads_any_more_cancels_the_run_and_the_old_release_is_put_back(run, step, unread):
    log, perform = Log(), run.trial.perform

    def last_words(each: steps.Step) -> None:
        if type(each) is step:
            unread()
        perform(each)
        log.done(each, 0)

    first = run.release(1)
    run.trial.perform, run.swap.say, run.swap.heading = last_words, log.say, log.heading
    with pytest.raises(ReleaseError, match="cancelled; the old release is live as before"):
        run.release(2)
    assert run.box.live() == first and run.box.folders() == run.trial.engine.running == [first]
    assert run.events()[-2:] == [("start", 2), ("failed", 2)]
    log.say("nobody hears this, and nothing happens")


def test_a_release_that_fails_while_nobody_reads_the_log_is_removed(run, unread):
    first, log = run.release(1), Log()

    def fail(group: str | None) -> None:
        if group == "Check":
            log.heading(group)
            unread()
        elif group is None:
            log.heading(group)

    run.trial.fails[steps.AwaitReady] = ReleaseError("not ready")
    run.swap.say, run.swap.heading = log.say, fail
    with pytest.raises(ReleaseError, match="not ready"):
        run.release(2)
    assert run.box.live() == first and run.box.folders() == run.trial.engine.running == [first]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file takes a byte more; names can still be made and changed."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_nobody_from_going_back_and_looking(run):
    first = run.release(1)
    run.release(2)
    with full_disk():
        assert "live again" in run.swap.rollback()
        assert len(history_lines(run.box, Log())) == 4
    assert run.box.live() == first


def killed(run: Run, number: int) -> str:
    """A run that was killed between the rename and its note; the id of its release."""
    release = run.swap.new_release(request(number))
    run.swap.history.note("start", release)
    run.box.remember(release)
    run.box.point(release.id)
    return release.id


def test_the_next_run_notes_what_a_killed_one_could_not(run):
    run.release(1)
    killed(run, 2)
    run.release(3)
    assert run.events() == [
        ("start", 1),
        ("live", 1),
        ("start", 2),
        ("live", 2),
        ("start", 3),
        ("live", 3),
    ]


def test_the_history_shows_a_killed_run_before_the_next_one(run):
    id = killed(run, 1)
    with exclusive(run.box):  # it may still be under way
        assert len(history_lines(run.box, Log())) == 1
    start, live = history_lines(run.box, Log())
    assert "start" in start and "live" in live and id in live and "recorded later" in live


def test_a_strange_line_of_the_history_costs_only_itself(run):
    run.release(1)
    with run.box.history.open("a") as history:
        history.write('{"event": null, "release": [1], "run_number": {}}\n' + "[" * 100_000 + "\n")
    run.release(2)
    lines = history_lines(run.box, Log())
    assert len(lines) == 5 and all(event in line for event, line in zip(["start", "live", "None", "start", "live"], lines))


def test_a_rollback_that_was_killed_is_in_the_history(run):
    first = run.release(1)
    run.release(2)
    run.box.point(first)
    run.swap.drain()
    assert run.events()[-1] == ("rollback", 1)


def test_a_release_that_still_answers_outlives_any_number_of_swaps(run):
    first = run.release(1)
    run.trial.busy[first] = 1
    for number in range(2, 6):
        last = run.release(number)
    assert len(run.trial.engine.running) == 3 and first in run.trial.engine.running
    assert any(line.startswith(f"{first} still answers 1 request: draining, at most 3600 s") for line in run.said)
    assert run.box.record(first).digest in run.trial.engine.pulled and len(run.trial.engine.pulled) == 4
    run.trial.busy.clear()
    assert run.swap.drain() == []
    assert len(run.trial.engine.running) == 2 and first not in run.trial.engine.running
    assert run.box.live() == last and first not in run.box.folders()
    assert {event for event, _ in run.events()} == {"start", "live"}


def test_what_drains_too_long_is_cut_and_named(run):
    first = run.release(1)
    run.trial.busy[first] = 2
    run.release(2)
    run.release(3)
    os.utime(run.box.draining / first, (0, 0))
    run.swap.drain()
    assert first not in run.trial.engine.running
    cut = run.swap.history.entries()[-1]
    assert (cut["event"], cut["release"], cut["requests"], cut["run_number"]) == ("cut", first, 2, 1)
    assert "3600 s (drain_seconds)" in cut["reason"]
    assert f"warning: {first} still answers 2 requests: cut off, because {cut['reason']}" in run.said


def test_only_so_many_drain_and_the_oldest_is_cut_first(make):
    run = make(draining=2)
    ids = []
    for number in range(1, 6):
        ids.append(run.release(number))
        run.trial.busy[ids[-1]] = 1
        for id in run.box.drained():
            os.utime(run.box.draining / id, (1e9 + ids.index(id), 2e12 + ids.index(id)))
    assert run.trial.engine.running == ids[1:]
    assert [each["release"] for each in run.swap.history.entries() if each["event"] == "cut"] == [ids[0]]


def test_a_release_that_is_gone_back_to_does_not_drain_any_more(run):
    first = run.release(1)
    run.trial.busy[first] = 1
    second = run.release(2)
    run.release(3)
    assert run.box.drained() == [first]
    run.swap.rollback()
    run.swap.drain()
    assert run.box.live() == second and run.box.drained() == []
    assert sorted(run.trial.engine.running) == sorted([first, second])


def test_the_run_that_holds_the_lock_drains_alone(run):
    run.release(1)
    with exclusive(run.box), pytest.raises(Busy, match="another release has been in progress"):
        run.swap.drain()


def test_a_count_that_began_again_is_accepted_once_the_administrator_says_so(run):
    run.release(950)
    with pytest.raises(ReleaseError, match="run 3 is older than the live run 950.*slipway-release restart-count"):
        run.release(3)
    assert "can have any run number" in run.swap.restart_count()
    run.release(3)
    with pytest.raises(ReleaseError, match="run 2 is older than the live run 3"):
        run.release(2)
    assert ("restart-count", 950) in run.events()


def test_without_a_live_release_there_is_no_count_to_restart(run):
    assert "any run number is accepted" in run.swap.restart_count()
