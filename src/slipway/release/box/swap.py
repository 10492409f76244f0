"""Makes a release live, or rolls back to the previous one: one at a time, all or nothing."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.box import plan as steps
from slipway.release.box.drain import Drainer, drain_group, overdue
from slipway.release.box.execution import Execution
from slipway.release.box.history import History
from slipway.release.box.lock import LOCK_SECONDS, Busy, Cancelled, cancellable, exclusive
from slipway.release.box.state import Box, Release, kept
from slipway.release.request import EARLIER, Request, new_id
from slipway.release.signals import SIGNALS

READY_SECONDS = 5  # a busy release answers later than an idle one
PAUSE = 0.5  # seconds between two looks at a neighbour that drains


@dataclass
class Swap:
    """A run of this program on a box.

    Parameters
    ----------
    execution : Execution
    say : callable
        Called with one line of text at a time.
    heading : callable
        Called with the name of every group of steps as it begins, and with None at its end.
    shared : bool
        Whether the box has other services: then the previous release is stopped once it is idle, to leave them its memory.
    neighbours : tuple of Swap
        The other services. A swap waits until none of them drains.
    """

    execution: Execution
    say: Callable[[str], None]
    heading: Callable[[str | None], None] = lambda name: None
    shared: bool = False
    neighbours: tuple["Swap", ...] = ()

    @property
    def box(self) -> Box:
        return self.execution.box

    @property
    def history(self) -> History:
        return History(self.box.history, self.say)

    def deploy(self, request: Request) -> str:
        """Make the requested release live; returns a sentence on the result.

        Raises
        ------
        ReleaseError
            If it is older than the live release, or failed; then the old release is live as before.
        """
        with self._turn():
            self.require_order(request)
            release = self.new_release(request)
            self.history.note("start", release)
            self._go_live(release, self._plan(release, request))
            self._tidy()
            return f"{shown(release)} is live"

    def rollback(self) -> str:
        """Make the previous release live again; returns a sentence on the result.

        Raises
        ------
        ReleaseError
            If there is none, or it does not become ready.
        """
        with self._alone():
            release = self.previous()
            left = self.box.live()
            if self.execution.ready(release.id, seconds=READY_SECONDS):
                plan = steps.Plan((), steps.Group("Switch", (steps.Point(release), steps.Probe(release))))
            else:  # it was stopped, or it hangs: its image still exists
                self._remove(release.id)
                plan = steps.plan_return(release, self.execution.configuration, self.box)
            self._go_live(release, plan, "rollback")
            if left:
                self._leave_draining(left)
            return f"{shown(release)} is live again"

    def drain(self) -> list[str]:
        """Stop releases that have drained, or have drained too long; returns the ids of those that still drain.

        Raises
        ------
        Busy
            If another run is in progress, which does the same.
        """
        with self._alone(0):
            self._drain()
        return self.box.drained()

    def restart_count(self) -> str:
        """Accept any run number next; returns a sentence on the result."""
        with self._alone():
            live = self._live()
            if live is None:
                return "nothing is live: any run number is accepted"
            self.box.restart_count(live.id)
            self.history.note("restart-count", live)
            return f"the next release can have any run number; {shown(live)} stays live"

    def plan(self, request: Request) -> str:
        """The steps of `deploy`, without doing them."""
        self.require_order(request)
        drain = drain_group(self._drainers([self.box.live()]), self.execution.configuration)
        return f"{self._plan(self.new_release(request), request)}\n{drain}"

    def require_order(self, request: Request) -> None:
        """An older commit never overwrites a newer one; ReleaseError."""
        live = self._live()
        if live and request.run_number < live.run_number and self.box.restarted() != live.id:
            raise ReleaseError(
                f"run {request.run_number} is older than the live run {live.run_number}",
                f"{EARLIER}: sudo slipway-release restart-count",
            )

    def previous(self) -> Release:
        """The previous release; ReleaseError if there is none."""
        chain = self.box.chain()
        if len(chain) < 2:
            raise ReleaseError("there is no earlier release on this box", "Revert the commit instead: git revert, push")
        return chain[1]

    def new_release(self, request: Request) -> Release:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Release(new_id(), request.digest, request.commit, request.run_number, self.box.live(), now)

    def drainers(self) -> list[Drainer]:
        """Releases other than those that keep running."""
        return self._drainers(self._staying() or [self.box.live()])

    @contextmanager
    def _turn(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Be alone, with no neighbour draining: the memory of a shared box has room for one swap."""
        deadline = time.monotonic() + seconds
        while True:
            with self._alone(max(0.0, deadline - time.monotonic())):
                busy = self._busy_neighbours()
                if not busy:
                    yield
                    return
            if time.monotonic() > deadline:
                cure = "Run the workflow again later; drain_seconds in its release.toml limits how long that takes"
                raise Busy(f"other services still drain after {seconds:g} s: {', '.join(busy)}", cure)
            time.sleep(PAUSE)

    def _busy_neighbours(self) -> list[str]:
        found = []
        for each in self.neighbours:
            try:
                each._drain()
                found += [each.box.service] if any(left.requests for left in each.drainers()) else []
            except (SlipwayError, OSError):  # a broken neighbour keeps nobody from releasing; the timer reports it
                self.say(f"warning: {each.box.service} cannot be drained")
        return found

    @contextmanager
    def _alone(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        with exclusive(self.box, seconds), cancellable():
            self.history.complete(self._live())
            yield

    def _staying(self) -> list[str]:
        """Ids of the releases that keep running: the live one, and on a box of its own the previous one."""
        return [each.id for each in self.box.chain()[: 1 if self.shared else 2]]

    def _live(self) -> Release | None:
        id = self.box.live()
        return self.box.record(id) if id else None

    def _plan(self, release: Release, request: Request) -> steps.Plan:
        return steps.plan_release(release, request.key, self.execution.configuration, self.box)

    def _go_live(self, release: Release, plan: steps.Plan, event: str = "live") -> None:
        old = self.box.live()
        try:
            for group in (*plan.before, plan.switch):
                self._perform(group)
        except BaseException as error:  # whatever it was, restore the old release
            self._abort(release, old, started=bool(plan.before))
            self.history.note("failed", release, reason=str(error) or type(error).__name__.lower())
            if isinstance(error, Cancelled):
                raise ReleaseError("cancelled; the old release is live as before") from error
            raise
        self.history.note(event, release)

    def _abort(self, release: Release, old: str | None, started: bool) -> None:
        """Restore the old release if new connections went to the new one, and remove what was started."""
        for number in SIGNALS:  # a second signal must not stop this half-way
            signal.signal(number, signal.SIG_IGN)
        self.heading(None)
        try:
            reached = self.box.live() != old
            if reached:
                self.box.point(old)
            if not started:
                return
            for line in self.execution.engine.last_lines(release.container):
                self.say(f"  {release.container}: {line}")
            if reached:
                self._drain()
            else:
                self._remove(release.id)
                if release.id not in [each.id for each in self.box.chain()[:2]]:
                    self.box.forget(release.id)
        except (SlipwayError, OSError) as error:
            self.say(f"warning: {error}")

    def _remove(self, id: str) -> None:
        """Stop a release at once: one that hangs, or that has received no user's request."""
        if id in self._present():
            for step in steps.discard_steps(id):
                self.execution.perform(step)
        self.box.leave(id)

    def _drain(self) -> None:
        """Stop releases other than live and previous: once they are idle, or by cutting off their answers at the limit."""
        configuration = self.execution.configuration
        found = self.drainers()
        cut = overdue(found, configuration)
        for each in found:
            if each in cut:
                self._cut(each, cut[each])
            elif each.requests:
                self._leave_draining(each.id)
                self.say(f"{each}: draining, at most {configuration.drain_seconds} s")
        self._try(drain_group(found, configuration))
        for id in set(self.box.drained()) - {each.id for each in found}:
            self.box.undrain(id)

    def _cut(self, each: Drainer, reason: str) -> None:
        """Report what is about to be cut off."""
        self.say(f"warning: {each}: cut off, because {reason}")
        release = self.box.record(each.id)
        if release:
            self.history.note("cut", release, requests=each.requests, reason=reason)

    def _leave_draining(self, id: str) -> None:
        try:
            self.box.drain(id)
        except OSError as error:  # a full disk, for example: then the next release stops it
            self.say(f"warning: {error}")

    def _drainers(self, staying: Sequence[str | None]) -> list[Drainer]:
        ids = [id for id in self._present() if id not in staying]
        return [Drainer(id, self.execution.requests(id), self.box.drains(id)) for id in ids]

    def _tidy(self) -> None:
        """Clean up after the switch. The release is already live, so a failure is a warning, and the next run cleans up."""
        try:
            self._drain()
            configuration = self.execution.configuration
            images = self.execution.engine.images(configuration.repository)
            present = self._present()  # releases that drain, or could not be stopped, keep their folder and image
            keep = [*kept(self.box.chain(), configuration.keep), *filter(None, map(self.box.record, present))]
            folders, records = ([id for id in ids if id not in present] for ids in (self.box.folders(), self.box.recorded()))
            self._try(steps.clean_steps(keep, images, folders, records))
        except (SlipwayError, OSError) as error:
            self.say(f"warning: {error}")
        except Cancelled:
            self.say("warning: cancelled while cleaning up; the next release does it")

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


def shown(release: Release) -> str:
    """A release in a few words."""
    return f"release {release.id} (run {release.run_number}, commit {release.commit[:12]}, {release.digest[:19]})"
