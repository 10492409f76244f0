"""Makes a release live on Cloud Run, or leaves what serves as it is."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from slipway.errors import ReleaseError
from slipway.release.clock import Cancelled, Clock, interruptible
from slipway.release.cloudrun.gcloud import Gcloud, GcloudError
from slipway.release.cloudrun.run_service import KEY_DIGITS, RESTARTED, TAG, CloudRun, Release, RunService, settings_mark
from slipway.release.image.registry import find_image
from slipway.release.image.registry_login import own_login
from slipway.release.public_address import PublicAddress, address_of, require_release
from slipway.release.request import EARLIER, Request, new_id, require_same_digest

NAME = re.compile(r"(?=.{1,42}$)[a-z]([a-z0-9-]*[a-z0-9])?")  # 46 characters with the tag of a revision
REPOSITORY = re.compile(r"(?P<host>[^/]+)/(?P<path>(?P<project>[^/]+)/.+)")
NEEDED = "Set SLIPWAY_REGISTRY to LOCATION-docker.pkg.dev and SLIPWAY_REPOSITORY to PROJECT/REPOSITORY/IMAGE"
TAG_SECONDS = 120  # until a revision answers at its own address
PUBLIC_SECONDS = 120  # routes change within seconds, not at once
BACK_SECONDS = 120
PAUSE = 5.0
PRIVATE = (401, 403)
TOKEN_HEADER = "X-Serverless-Authorization"  # read by Cloud Run alone: Authorization is the service's


def deploy(name: str, repository: str, region: str, request: Request, bundle: str) -> Iterator[str]:
    """Make a release live; yields the steps, and at the end a line that begins with ``Result: ``.

    Parameters
    ----------
    name : str
        Of the service.
    repository : str
        ``LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE``; the service is in the same project.
    region : str
    request : Request
    bundle : str
        Digest of the bundle that the release must serve.

    Raises
    ------
    ReleaseError
        If it is older than what is live, or failed; then what served before serves as before.
    """
    if not NAME.fullmatch(name):
        cure = "Use lower-case letters, digits and hyphens, at most 42 characters, a letter first"
        raise ReleaseError(f"{name!r} cannot be the name of a service of Cloud Run here", cure)
    found = REPOSITORY.fullmatch(repository)
    if not found:
        raise ReleaseError(f"the repository {repository!r} is not HOST/PROJECT/REPOSITORY/IMAGE", NEEDED)
    with interruptible() as clock:
        service = CloudRun(Gcloud(found["project"]), name, region)
        yield from TrafficShift(service, clock, found["host"], found["path"], bundle).deploy(request)


@dataclass(frozen=True)
class TrafficShift:
    """A service of Cloud Run and what it may run.

    Parameters
    ----------
    run : CloudRun
    clock : Clock
    host, path : str
        Registry and repository of the image.
    bundle : str
        Digest of the bundle that /readyz must name.
    """

    run: CloudRun
    clock: Clock
    host: str
    path: str
    bundle: str

    def deploy(self, request: Request) -> Iterator[str]:
        """As the function of this name."""
        start = self.clock.now()
        service = self.run.look()
        live = self._live(service)
        yield f"live: {live or 'nothing yet'}"
        yield from _split(service)
        self.require_order(request, live, service)
        self.require_digest(request)
        secrets = self.run.secret_versions(service)
        yield from (f"warning: {each}" for each in _unread(secrets))
        settings = settings_mark(service.template, secrets)
        if live and live.answers(request, settings) and len(service.traffic) == 1:
            verb, release = "is already live", live
            address = self._address(service.url, service)
            require_release(address, release.id, self.bundle, self.clock, PUBLIC_SECONDS)
        else:
            verb, release = "is live", _new_release(request, settings)
            yield f"{release}: revision {self.run.revision(release)}, without traffic"
            self._prepare(release)
            before = self._ready(release)
            self.require_order(request, self._live(before), before)
            yield f"{before.next_url} serves {release.id} with the bundle {self.bundle[:12]}: it gets all traffic"
            address = self._shift(release, before)
        yield f"{address} serves {release.id} with the bundle {self.bundle[:12]}"
        yield f"Result: {release} {verb} ({self.clock.now() - start:.2f} s)"

    def require_order(self, request: Request, live: Release | None, service: RunService) -> None:
        """An older commit never overwrites a newer one; ReleaseError."""
        if live and request.run_number < live.run_number and service.labels.get(RESTARTED) != live.id:
            command = f"gcloud run services update {self.run.name} --region {self.run.region}"
            raise ReleaseError(
                f"run {request.run_number} is older than run {live.run_number}, which is live",
                f"{EARLIER}, run: {command} --update-labels {RESTARTED}={live.id}",
            )

    def require_digest(self, request: Request) -> None:
        """Only an image that the registry lists under the release key may run; ReleaseError."""
        if self.host.endswith("-docker.pkg.dev"):
            token = self.run.gcloud.text("auth", "print-access-token")
            with own_login(self.host, "oauth2accesstoken", token) as environ:
                found = find_image(self.host, self.path, request.key, environ)
        else:
            found = find_image(self.host, self.path, request.key)
        require_same_digest(found, f"{self.host}/{self.path}", request)

    def _live(self, service: RunService) -> Release | None:
        """The newest of the releases that get traffic; None if no release made what serves."""
        found = [release for each in service.traffic if (release := self.run.release(each))]
        return max(found, key=lambda each: each.run_number, default=None)

    def _prepare(self, release: Release) -> None:
        try:
            self.run.prepare(release, f"{self.host}/{self.path}@{release.digest}")
        except GcloudError as error:
            with suppress(GcloudError):  # what failed is to be told
                self.run.untag(release)
            raise ReleaseError(f"{release} failed: {error.cause}; the traffic is as it was", error.cure) from error

    def _ready(self, release: Release) -> RunService:
        """The service, once the revision answers at its own address with the release and its bundle."""
        deadline, revision = self.clock.now() + TAG_SECONDS, self.run.revision(release)
        try:
            while (service := self.run.look()).next_revision != revision or not service.next_url:
                if self.clock.now() > deadline:
                    raise ReleaseError(f"the tag {TAG!r} is not at {revision}, but at {service.next_revision or 'nothing'}")
                self.clock.pause(PAUSE)
            address = self._address(service.next_url, service)
            require_release(address, release.id, self.bundle, self.clock, TAG_SECONDS)
        except Cancelled as error:
            raise ReleaseError(f"cancelled before {release} got traffic: what served serves") from error
        except ReleaseError as error:
            raise ReleaseError(f"{release} failed: {error.cause}; the traffic is as it was", error.cure) from error
        return self.run.look()

    def _shift(self, release: Release, before: RunService) -> PublicAddress:
        """Give a release all of the traffic; where it answers. Back to what was before if it does not."""
        try:
            address = self._address(before.url, before)
            self.run.send({self.run.revision(release): 100})
            require_release(address, release.id, self.bundle, self.clock, PUBLIC_SECONDS)
        except ReleaseError as error:
            cause = "cancelled" if isinstance(error, Cancelled) else error.cause
            raise ReleaseError(f"{release} failed: {cause}; {self._back(release, before.traffic)}", error.cure) from error
        return address

    def _back(self, release: Release, traffic: Mapping[str, int]) -> str:
        """Send the traffic back, unless somebody else has changed it; what was done. No signal ends this."""
        clock = Clock()
        deadline, shares = clock.now() + BACK_SECONDS, ", ".join(f"{name} {share} %" for name, share in traffic.items())
        while True:
            try:
                now = self.run.look().traffic
                if now == traffic:
                    return f"the traffic is as it was: {shares}"
                if self.run.revision(release) not in now:
                    return f"it was overtaken by {', '.join(now)}"
                self.run.send(traffic)
                return f"the traffic is back at {shares}"
            except GcloudError as error:
                if not error.passing or clock.now() > deadline:
                    given = ",".join(f"{name}={share}" for name, share in traffic.items())
                    command = f"gcloud run services update-traffic {self.run.name} --region {self.run.region}"
                    return f"and the traffic could not be sent back ({error.cause}). Run: {command} --to-revisions {given}"
            clock.pause(PAUSE)

    def _address(self, url: str, service: RunService) -> PublicAddress:
        """Where to ask; with an identity token if the service lets in nobody without."""
        return replace(address_of(url), headers=self._headers(service))

    def _headers(self, service: RunService) -> dict[str, str]:
        """Its own address tells whether it is private: that of a tag may not be known everywhere yet."""
        account = os.environ.get("GCP_SERVICE_ACCOUNT", "")  # a federated login has no identity token of its own
        try:
            status, _ = address_of(service.url).ask()
        except OSError:  # it may be private: who can have a token takes one
            status = PRIVATE[0] if account else 0
        if status not in PRIVATE:
            return {}
        as_whom = (f"--impersonate-service-account={account}",) if account else ()
        token = self.run.gcloud.text("auth", "print-identity-token", f"--audiences={service.url}", *as_whom)
        return {TOKEN_HEADER: f"Bearer {token}"}


def _new_release(request: Request, settings: str) -> Release:
    return Release(new_id(), request.digest, request.commit, request.key[:KEY_DIGITS], request.run_number, settings)


def _split(service: RunService) -> list[str]:
    """A line about traffic that somebody has divided by hand."""
    if len(service.traffic) == 1:
        return []
    shares = ", ".join(f"{name} {share} %" for name, share in service.traffic.items())
    return [f"warning: the traffic was divided by hand ({shares}); this release gets all of it"]


def _unread(secrets: Mapping[str, str]) -> list[str]:
    """What to say of secrets whose newest version is used, but may not be looked up."""
    names = [name for name, version in secrets.items() if not version]
    cure = "Give the release's service account roles/secretmanager.viewer on it"
    return [f"a new version of the secret {name} is not noticed. {cure}" for name in names]
