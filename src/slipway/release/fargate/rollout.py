"""Follows one release through ECS to its end, and puts the previous one back if that end is bad."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from slipway.errors import ReleaseError
from slipway.release.clock import Clock
from slipway.release.fargate.aws import AwsError, Patient
from slipway.release.fargate.ecs import Deployment, Ecs, Service
from slipway.release.fargate.revision import release_of

SECONDS = 600
BACK_SECONDS = 300
OWN_ROLLBACK_SECONDS = 30  # ECS begins its own within seconds of the failure
DOUBTED_SECONDS = 30  # an answer of describe-services may be older than the update, also after a newer one
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
    replaced : str or None
        The revision in whose place this one came, where the service does not list it any more.
    """

    ecs: Ecs
    clock: Clock
    revision: str
    run_number: int
    before: Service
    replaced: str | None = None

    @property
    def previous(self) -> str | None:
        """The revision to go back to: the last that was complete; None if there is no other than this."""
        return last_complete(self.before, self.revision) or self.replaced

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
        start, last = self.clock.now(), ""
        sure = start
        while True:
            late = self.clock.now() - start > seconds
            try:
                service = self.ecs.look()
                said = self._progress(service)
                if self._surely(service) or self.clock.now() - sure > DOUBTED_SECONDS:
                    if said != last:
                        yield said
                    last = said
                    if self._done(service):
                        return
                    sure = self.clock.now()
            except AwsError as error:
                if late or not error.passing:
                    raise
                yield f"warning: {error}"
            else:
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
        patient = replace(self, ecs=replace(self.ecs, aws=Patient(self.ecs.aws, self.clock, BACK_SECONDS)))
        yield from patient._put_back(self.previous)

    def _put_back(self, previous: str) -> Iterator[str]:
        service = self._after_own_rollback()
        if self.before.desired == 0:
            if service.primary.revision not in {self.revision, *self.before.revisions}:
                raise self._replaced(service.primary)
            self.ecs.update(previous, tasks=0)
            yield "nothing served before: the service has no tasks again"
            return
        yield "going back to the previous release"
        if service.primary.revision == self.revision:
            if service.primary.rollout != "IN_PROGRESS" or not self._stopped():
                self.ecs.update(previous)
            service = self._await_another(BACK_SECONDS)
        revision = service.primary.revision
        if revision not in {*self.before.revisions, previous}:
            raise self._replaced(service.primary)
        yield from Rollout(self.ecs, self.clock, revision, self.run_number, service).follow(BACK_SECONDS)

    def _surely(self, service: Service) -> bool:
        """Whether an answer is of the time after the update.

        Another revision alone does not tell it: ECS may go back to a deployment that was there before, under its own id.
        """
        own = self._own(service)
        return own is not None and (own.status == "PRIMARY" or own.rollout == "FAILED")

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
            if not own and primary.id in {each.id for each in self.before.deployments}:
                return Failed("ECS works towards the previous revision, and not towards this one")
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
        deadline = self.clock.now() + DOUBTED_SECONDS
        while not self._surely(service := self.ecs.look()) and self.clock.now() < deadline:
            self.clock.pause(PAUSE)
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


def last_complete(service: Service, other_than: str = "") -> str | None:
    """The newest complete revision of a service, or one on its way if none is; None if it lists no other."""
    others = [each for each in service.deployments if each.revision != other_than]
    complete = [each for each in others if each.rollout == "COMPLETED"]
    return next((each.revision for each in (*complete, *others)), None)
