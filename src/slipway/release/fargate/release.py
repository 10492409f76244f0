"""Makes a release live on Fargate, or leaves what serves as it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.clock import Cancelled, Clock, interruptible
from slipway.release.fargate.aws import UP, Aws, AwsError
from slipway.release.fargate.ecs import Ecs, Service
from slipway.release.fargate.last_words import last_words
from slipway.release.fargate.parameters import Settings, read_settings
from slipway.release.fargate.revision import Release, next_revision, previous_of, release_of
from slipway.release.fargate.rollout import Failed, Overtaken, Rollout, last_complete
from slipway.release.image.registry import find_image
from slipway.release.public_address import PublicAddress, address_of, require_reachable, require_release
from slipway.release.request import EARLIER, Request, new_id, require_same_digest

ECR = re.compile(r"(?P<account>[0-9]{12})\.dkr[.-]ecr\.(?P<region>[a-z0-9-]+)\..+")
URL = "slipway:url"
ADDRESS = "slipway:address"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
TASKS = "slipway:tasks"
RESTARTED = "slipway:restarted"
PORT = 8080
HEALTH_SECONDS = 60  # the health check of a task may be some checks behind its deployment
PAUSE = 5.0
NEEDED = "Set AWS_ECR_LOGIN_URI and ECR_REPOSITORY_NAME"


def deploy(name: str, repository: str, request: Request, bundle: str) -> Iterator[str]:
    """Make a release live; yields the steps, and at the end a line that begins with ``Result: ``.

    Parameters
    ----------
    name : str
        Of the cluster and the service.
    repository : str
        ``HOST/REPO`` of the image.
    request : Request
    bundle : str
        Digest of the bundle that the release must serve.

    Raises
    ------
    ReleaseError
        If it is older than what is live, or failed; then what served before serves as before.
    """
    if not NAME.fullmatch(name):
        raise ReleaseError(f"{name!r} cannot be the name of a service of ECS", "Use letters, digits, - and _ alone")
    with interruptible() as clock:
        yield from Fargate(Ecs(Aws(), name), clock, repository, bundle).deploy(request)


@dataclass(frozen=True)
class Fargate:
    """A service of ECS and what it may run.

    Parameters
    ----------
    ecs : Ecs
    clock : Clock
    repository : str
        ``HOST/REPO``.
    bundle : str
        Digest of the bundle that /readyz must name.
    """

    ecs: Ecs
    clock: Clock
    repository: str
    bundle: str

    def deploy(self, request: Request) -> Iterator[str]:
        """As the function of this name."""
        start = self.clock.now()
        service = self.ecs.look()
        current = self.ecs.definition(service.primary.revision)
        live = release_of(current)
        yield f"live: {live or (f'{service.primary.revision}, which no release made' if service.desired else 'nothing yet')}"
        require_order(request, live, service)
        self.require_digest(request)
        settings = read_settings(self.ecs.aws, self.ecs.name)
        yield f"{self.repository}:{request.key} is {request.digest}; settings: {', '.join(settings.names) or 'none'}"
        address = public_address(service.tags)
        if address:
            require_reachable(address, self.clock)
        if live and is_live(live, request, settings, service):
            verb, release = "is already live", live
            revision = service.primary.revision
            rollout = Rollout(self.ecs, self.clock, revision, request.run_number, service, previous_of(current))
        else:
            verb, release = "is live", new_release(request, settings)
            previous = last_complete(service) if service.desired else None
            proxies = int(address is not None)
            document = next_revision(current, release, self.repository, settings, proxies, previous)
            rollout = self._begin(document, release, service)
            yield f"{release}: ECS starts it as {rollout.revision.rpartition('/')[2]}"
        yield from self._finish(rollout, release, address)
        yield f"Result: {release} {verb} ({self.clock.now() - start:.2f} s)"

    def require_digest(self, request: Request) -> None:
        """Only an image that the registry lists under the release key may run; ReleaseError."""
        host, _, name = self.repository.partition("/")
        if not host or not name:
            raise ReleaseError(f"the repository {self.repository!r} is not HOST/REPO", NEEDED)
        ecr = ECR.fullmatch(host)
        found = self._ecr_digest(ecr, name, request.key) if ecr else find_image(host, name, request.key)
        require_same_digest(found, self.repository, request)

    def _begin(self, document: dict[str, object], release: Release, seen: Service) -> Rollout:
        """Register the revision and make ECS work towards it, unless the service changed since it was seen."""
        tasks = None if seen.desired else first_tasks(seen)
        revision = self.ecs.register(document)
        self.clock.pause(0)
        before = self.ecs.look()
        if before.primary.revision != seen.primary.revision:
            require_order(release.request, release_of(self.ecs.definition(before.primary.revision)), before)
            raise ReleaseError("the service was changed while this release was prepared", "Run the workflow again")
        try:
            self.ecs.update(revision, tasks)
        except AwsError as error:
            if not error.passing:  # otherwise it may be done all the same: whoever follows it sees that
                raise
        return Rollout(self.ecs, self.clock, revision, release.run_number, before)

    def _finish(self, rollout: Rollout, release: Release, address: PublicAddress | None) -> Iterator[str]:
        try:
            yield from rollout.follow()
            yield from self._check(rollout.revision, release, address)
        except Overtaken:
            raise
        except Cancelled as error:
            raise ReleaseError(
                f"cancelled while ECS rolls out {release}",
                "ECS goes on: it goes live if its tasks become ready, otherwise the circuit breaker restores the previous "
                "release. Run the workflow again to see how it ended; to go back, revert the commit",
            ) from error
        except AwsError as error:
            cure = ". ".join(filter(None, (error.cure, "ECS goes on; run the workflow again to see how it ended")))
            raise ReleaseError(f"{error.cause}, while ECS rolls out {release}", cure) from error
        except ReleaseError as error:
            yield f"{release} failed: {error.cause}"
            yield from last_words(self.ecs, rollout.revision, rollout.before)
            yield from self._put_back(rollout, release, error)
            raise

    def _put_back(self, rollout: Rollout, release: Release, failure: ReleaseError) -> Iterator[str]:
        """Raises the failure, with what serves instead."""
        what = f"{release} failed: {failure.cause}"
        try:
            yield from rollout.put_back()
            serving = release_of(self.ecs.definition(self.ecs.look().primary.revision))
        except Cancelled as error:
            raise ReleaseError(f"{what}; then cancelled", "ECS goes on going back to the previous release") from error
        except ReleaseError as error:
            raise ReleaseError(f"{what}; then {error.cause}", error.cure) from error
        if rollout.previous is not None:
            left = "nothing serves, as before" if rollout.before.desired == 0 else f"{serving or 'the base revision'} serves"
            raise ReleaseError(f"{what}; {left}", failure.cure)

    def _check(self, revision: str, release: Release, address: PublicAddress | None) -> Iterator[str]:
        """Several answers in a row at the public address come from the release, or its tasks say that they are ready."""
        if address is None:
            yield from self._check_tasks(revision)
            return
        require_release(address, release.id, self.bundle, self.clock)
        yield f"{address} serves {release.id} with the bundle {self.bundle[:12]}"

    def _check_tasks(self, revision: str) -> Iterator[str]:
        """Without a load balancer: their own health checks ask /readyz. This machine may be outside of the network let in."""
        deadline = self.clock.now() + HEALTH_SECONDS
        while True:
            tasks = [each for each in self.ecs.tasks("RUNNING") if each["taskDefinitionArn"] == revision]
            health = [each.get("healthStatus", "UNKNOWN") for each in tasks]
            if health and set(health) == {"HEALTHY"}:
                break
            if self.clock.now() >= deadline:
                raise Failed(f"its tasks are not healthy after {HEALTH_SECONDS} s: {', '.join(health) or 'none runs'}")
            self.clock.pause(PAUSE)
        for task in tasks:
            yield f"{task['taskArn'].rpartition('/')[2]} is ready at {self._address(task) or 'an address that is not known'}"

    def _address(self, task: Mapping[str, Any]) -> PublicAddress | None:
        """The public address of a task, for people: nothing asks it."""
        details = {each["name"]: each["value"] for place in task.get("attachments", []) for each in place["details"]}
        if not (interface := details.get("networkInterfaceId")):
            return None
        try:
            answer = self.ecs.aws("ec2", "describe-network-interfaces", "--network-interface-ids", interface)
        except AwsError:
            return None
        ip = answer["NetworkInterfaces"][0].get("Association", {}).get("PublicIp")
        return PublicAddress(ip, PORT) if ip else None

    def _ecr_digest(self, ecr: re.Match[str], name: str, key: str) -> str | None:
        """The digest that ECR lists under a key; None if it lists none. It is asked with the role, without docker login."""
        place = ("--registry-id", ecr["account"], "--region", ecr["region"], "--repository-name", name)
        try:
            answer = self.ecs.aws("ecr", "describe-images", *place, "--image-ids", f"imageTag={key}")
        except AwsError as error:
            if error.code == "ImageNotFoundException":
                return None
            raise
        return str(answer["imageDetails"][0]["imageDigest"])


def require_order(request: Request, live: Release | None, service: Service) -> None:
    """An older commit never overwrites a newer one; ReleaseError."""
    if live and request.run_number < live.run_number and service.tags.get(RESTARTED) != live.id:
        raise ReleaseError(
            f"run {request.run_number} is older than run {live.run_number}, which is live or being released",
            f"{EARLIER}, give the service of ECS the tag {RESTARTED} with the value {live.id}",
        )


def is_live(live: Release, request: Request, settings: Settings, service: Service) -> bool:
    """Whether a request asks for what is live, or on its way: the same run of the workflow, with the same settings."""
    serving = service.desired > 0 and service.primary.rollout != "FAILED"
    return serving and live.request == request and live.settings == settings.mark


def new_release(request: Request, settings: Settings) -> Release:
    """A release with an id of its own."""
    return Release(new_id(), request.digest, request.commit, request.key, request.run_number, settings.mark)


def public_address(tags: Mapping[str, str]) -> PublicAddress | None:
    """The address that the service's tags name; None if they name none. ReleaseError if it is malformed."""
    url = tags.get(URL, "")
    try:
        return address_of(url, tags.get(ADDRESS, "")) if url else None
    except ValueError as error:
        raise ReleaseError(f"the service's tag {URL} is {url!r}, not the URL of a service", UP) from error


def first_tasks(service: Service) -> int:
    """How many tasks a service without any starts."""
    count = service.tags.get(TASKS, "1")
    if not count.isdecimal() or int(count) < 1:
        raise ReleaseError(f"the service's tag {TASKS} is {count!r}, not a number of tasks", UP)
    return int(count)
