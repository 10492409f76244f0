"""Makes a release live, or goes back to the one before: one at a time, and all of it or nothing."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import IO

from slipway.errors import ReleaseError, SlipwayError
from slipway.journal import Journal
from slipway.release import plan as steps
from slipway.release.box import Box, Release, kept
from slipway.release.execution import Execution
from slipway.release.request import Request

LOCK_SECONDS = 300
PAUSE = 0.05
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Cancelled(BaseException):
    """Somebody asked this program to end."""


@dataclass
class Swap:
    """What a run of this program does on a box.

    Parameters
    ----------
    execution : Execution
    say : callable
        Told one line of text at a time.
    heading : callable
        Told the name of every group of steps as it begins, and None at its end.
    """

    execution: Execution
    say: Callable[[str], None]
    heading: Callable[[str | None], None] = lambda name: None

    @property
    def box(self) -> Box:
        return self.execution.box

    def deploy(self, request: Request) -> str:
        """Make what is asked for live; a sentence on the result.

        Raises
        ------
        ReleaseError
            When it is older than what is live, or did not work; then the old release is live as before.
        """
        with exclusive(self.box), cancellable():
            self.require_order(request)
            release = self.new_release(request)
            self._note("start", release)
            present = self._present()
            plan = steps.plan_release(release, self.execution.configuration, self.box, present)
            self._go_live(release, plan)
            self._tidy(plan.after)
            return f"{shown(release)} is live"

    def rollback(self) -> str:
        """Make the release before the live one live again; a sentence on the result.

        Raises
        ------
        ReleaseError
            When there is none, or it does not get ready.
        """
        with exclusive(self.box), cancellable():
            release = self.previous()
            if self.execution.ready(release.id):
                plan = steps.Plan((), steps.Group("Switch", (steps.Point(release), steps.Probe(release))), ())
            else:  # it was stopped for good: its image is still here
                self._remove(release.id)
                plan = steps.plan_return(release, self.execution.configuration, self.box)
            self._go_live(release, plan, "rollback")
            return f"{shown(release)} is live again"

    def plan(self, request: Request) -> steps.Plan:
        """What `deploy` would do, without doing any of it."""
        self.require_order(request)
        return steps.plan_release(self.new_release(request), self.execution.configuration, self.box, self._present())

    def require_order(self, request: Request) -> None:
        """An older commit never overwrites a newer one; ReleaseError."""
        id = self.box.live()
        live = self.box.record(id) if id else None
        if live and request.run_number < live.run_number:
            raise ReleaseError(
                f"run {request.run_number} is older than run {live.run_number}, which is live",
                "To release an older commit, revert to it, or start main.yaml by hand with it: the run gets a new number",
            )

    def previous(self) -> Release:
        """The release before the live one; ReleaseError when there is none."""
        chain = self.box.chain()
        if len(chain) < 2:
            raise ReleaseError("there is no earlier release on this box", "Revert the commit instead: git revert, push")
        return chain[1]

    def new_release(self, request: Request) -> Release:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        id = os.urandom(6).hex()
        return Release(id, request.digest, request.commit, request.run_number, self.box.live(), now)

    def _go_live(self, release: Release, plan: steps.Plan, event: str = "live") -> None:
        old = self.box.live()
        try:
            for group in (*plan.before, plan.switch):
                self._perform(group)
        except (SlipwayError, Cancelled) as error:
            self.heading(None)
            self._abort(release, old, started=bool(plan.before))
            self._note("failed", release, reason=str(error) or "cancelled")
            if isinstance(error, Cancelled):
                raise ReleaseError("cancelled; the old release is live as before") from error
            raise
        self._note(event, release)

    def _abort(self, release: Release, old: str | None, started: bool) -> None:
        """Put back the old release if new connections went to the new one, and remove what was started."""
        for number in SIGNALS:  # a second signal must not stop this half-way
            signal.signal(number, signal.SIG_IGN)
        try:
            if self.box.live() != old:
                self.box.point(old)
            if started:
                for line in self.execution.engine.last_lines(release.container):
                    self.say(f"  {release.container}: {line}")
                self._remove(release.id)
            if release.id not in (old, *self._before(old)):
                self.box.forget(release.id)
        except (SlipwayError, OSError) as error:
            self.say(f"warning: {error}")

    def _before(self, id: str | None) -> Sequence[str]:
        found = self.box.record(id) if id else None
        return [found.before] if found and found.before else []

    def _remove(self, id: str) -> None:
        if id in self._present():
            for step in steps.discard_steps(id, self.execution.configuration.drain_seconds):
                self.execution.perform(step)
        self.box.leave(id)

    def _tidy(self, groups: Sequence[steps.Group]) -> None:
        """What follows the switch: it is live already, so what goes wrong here is a warning, and the next run's work."""
        try:
            for group in groups:
                self._try(group)
            configuration = self.execution.configuration
            keep = kept(self.box.chain(), configuration.keep)
            images = self.execution.engine.images(configuration.repository)
            present = self._present()   # what could not be stopped keeps its folder
            folders, records = ([id for id in ids if id not in present] for ids in (self.box.folders(), self.box.recorded()))
            self._try(steps.clean_steps(configuration, keep, images, folders, records))
        except (SlipwayError, OSError) as error:
            self.say(f"warning: {error}")
        except Cancelled:
            self.say("warning: cancelled while tidying up; the next release does it")

    def _perform(self, group: steps.Group) -> None:
        self.heading(group.name)
        for step in group.steps:
            self.execution.perform(step)
        self.heading(None)

    def _try(self, group: steps.Group) -> None:
        self.heading(group.name)
        for step in group.steps:
            try:
                self.execution.perform(step)
            except SlipwayError as error:
                self.say(f"warning: {error}")
        self.heading(None)

    def _present(self) -> list[str]:
        return list(self.execution.engine.containers(f"{steps.LABEL}={self.execution.configuration.repository}"))

    def _note(self, event: str, release: Release, **more: str) -> None:
        entry = {
            "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": event, "release": release.id,
            "digest": release.digest, "commit": release.commit, "run_number": release.run_number, **more,
        }
        try:
            Journal(self.box.history).append(entry)
        except SlipwayError as error:
            if event == "start":  # a disk that is full already: better found before anything changes
                raise ReleaseError(error.cause, error.cure) from error
            self.say(f"warning: {error}")


def shown(release: Release) -> str:
    """A release in a few words."""
    return f"release {release.id} (run {release.run_number}, commit {release.commit[:12]}, {release.digest[:19]})"


@contextmanager
def exclusive(box: Box) -> Iterator[None]:
    """Be the only run of this program on the box; the system frees the lock when its process dies."""
    try:
        lock = box.lock.open("a+")
    except OSError as error:
        cure = "Run it as root on a box that deploy/ec2/bootstrap set up"
        raise ReleaseError(f"{box.lock}: {error.strerror}", cure) from error
    with lock:
        _take(lock)
        lock.truncate(0)
        lock.write(f"process {os.getpid()} since {datetime.now(timezone.utc).isoformat(timespec='seconds')}")
        lock.flush()
        yield


def _take(lock: IO[str]) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                lock.seek(0)
                raise ReleaseError(f"another release is on its way for {LOCK_SECONDS} s ({lock.read()})") from error
            time.sleep(PAUSE)


@contextmanager
def cancellable() -> Iterator[None]:
    """A job that is cancelled sends signals: they end the swap like any other failure."""

    def cancel(number, frame) -> None:
        raise Cancelled

    before = [signal.signal(number, cancel) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, before):
            signal.signal(number, handler)
