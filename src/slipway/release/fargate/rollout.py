"""Follows one release through ECS to its end, and puts the previous one back if that end is bad."""

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.errors import ReleaseError
from slipway.release.clock import Clock
from slipway.release.fargate.aws import AwsError
from slipway.release.fargate.ecs import Deployment, Ecs, Service
from slipway.release.fargate.revision import release_of

SECONDS = 600
BACK_SECONDS = 300
OWN_ROLLBACK_SECONDS = 30  # ECS begins its own within seconds of the failure
KNOWN_SECONDS = 30  # what describe-services answers may be older than the update
PAUSE = 5.0


class Failed(ReleaseError):
    """The revision did not become the only one that serves."""


class Overtaken(ReleaseError):
    """Another release was put in the place of this one."""


@dataclass(frozen=True)
class Rollout:
    """A revision that ECS works towards.

    Parameters
    ----------
    ecs : Ecs
    clock : Clock
    revision : str
        ARN of the task definition; every release has one of its own, so it names the release's deployments.
    run_number : int
        Of the release.
    before : Service
        The service as it was before: ECS can go back to nothing but one of its revisions.
    """

    ecs: Ecs
    clock: Clock
    revision: str
    run_number: int
    before: Service

    @property
    def previous(self) -> str | None:
        """The revision to go back to: the last that was complete; None if there is no other than this."""
        others = [each for each in self.before.deployments if each.revision != self.revision]
        complete = [each for each in others if each.rollout == "COMPLETED"]
        return next((each.revision for each in (*complete, *others)), None)

    def follow(self, seconds: float = SECONDS) -> Iterator[str]:
        """Wait until the revision alone serves; yields the progress.

        Not until the service is stable: it is after a rollback, too.

        Raises
        ------
        Failed
            If ECS gave up, went back, or was not done in time.
        Overtaken
            If another release took its place.
        """
        start, last, known = self.clock.now(), "", False
        while True:
            late = self.clock.now() - start > seconds
            try:
                service = self.ecs.look()
            except AwsError as error:
                if late or not error.passing:
                    raise
                yield f"warning: {error}"
            else:
                known = known or self._own(service) is not None or self.clock.now() - start > KNOWN_SECONDS
                said = self._progress(service)
                if known and said != last:
                    yield said
                last = said
                if known and self._done(service):
                    return
                if late:
                    raise Failed(f"not done within {seconds:g} s: {said}")
            self.clock.pause(PAUSE)

    def put_back(self) -> Iterator[str]:
        """Make the previous revision serve again, unless ECS does it; yields what happens.

        Raises
        ------
        Failed
            If that does not end well either.
        Overtaken
            If there is nothing to go back from, because another release took its place.
        """
        if self.previous is None:
            return
        if self.before.desired == 0:
            self.ecs.update(self.previous, tasks=0)
            yield "nothing served before: the service has no tasks again"
            return
        yield "going back to the previous release"
        service = self._after_own_rollback()
        if service.primary.revision == self.revision:
            if service.primary.rollout != "IN_PROGRESS" or not self._stopped():
                self.ecs.update(self.previous)
            service = self._await_another(BACK_SECONDS)
        revision = service.primary.revision
        if revision not in self.before.revisions:
            raise self._replaced(service.primary)
        yield from Rollout(self.ecs, self.clock, revision, self.run_number, service).follow(BACK_SECONDS)

    def _done(self, service: Service) -> bool:
        primary = service.primary
        if primary.revision != self.revision:
            raise self._replaced(primary, self._own(service))
        self._give_way(service)
        if primary.rollout == "FAILED":
            raise Failed(f"ECS gave up ({primary.reason or 'without a reason'})")
        return primary.rollout == "COMPLETED" and len(service.deployments) == 1

    def _give_way(self, service: Service) -> None:
        """Undo an update that was made over a newer release's at the same moment: ECS has no conditional update."""
        for each in service.deployments:
            if each.revision not in {*self.before.revisions, self.revision}:
                other = release_of(self.ecs.definition(each.revision))
                if other and other.run_number > self.run_number:
                    self.ecs.update(each.revision)
                    raise Overtaken(f"overtaken by {other}")

    def _replaced(self, primary: Deployment, own: Deployment | None = None) -> ReleaseError:
        if primary.revision in self.before.revisions:
            reason = (own.reason if own else "") or primary.reason or "without a reason"
            return Failed(f"ECS went back to the previous revision ({reason})")
        other = release_of(self.ecs.definition(primary.revision))
        if other is None:
            return Overtaken(f"overtaken by {primary.revision}, which no release made", "Run the workflow again")
        if other.run_number < self.run_number:
            return Overtaken(f"overtaken by {other}, which is older", "Run the workflow again")
        return Overtaken(f"overtaken by {other}")

    def _progress(self, service: Service) -> str:
        own = self._own(service)
        if own is None:
            return "its deployment is gone"
        others = sum(each.running for each in service.deployments if each is not own)
        failed = f", {own.failed} failed" if own.failed else ""
        return f"{own.running} of {own.wanted} tasks running{failed}; {others} of other releases"

    def _own(self, service: Service) -> Deployment | None:
        return next((each for each in service.deployments if each.revision == self.revision), None)

    def _after_own_rollback(self) -> Service:
        """The service, after some time for ECS to go back by itself if it gave up."""
        service = self.ecs.look()
        return self._await_another(OWN_ROLLBACK_SECONDS) if service.primary.rollout == "FAILED" else service

    def _await_another(self, seconds: float) -> Service:
        """The service, once it works towards another revision, or after some seconds."""
        deadline = self.clock.now() + seconds
        while (service := self.ecs.look()).primary.revision == self.revision and self.clock.now() < deadline:
            self.clock.pause(PAUSE)
        return service

    def _stopped(self) -> bool:
        """Whether ECS stops the deployment; not if it ended just now, or the role may not ask for it."""
        try:
            return self.ecs.stop_deployment()
        except AwsError:
            return False
