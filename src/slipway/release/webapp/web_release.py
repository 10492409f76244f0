"""Makes a release live on a Web App, through its slot or without one, or leaves what serves as it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from slipway.errors import ReleaseError
from slipway.release.clock import Clock, interruptible
from slipway.release.public_address import PublicAddress, require_release
from slipway.release.request import EARLIER, Request, new_id
from slipway.release.webapp.app_service import Look, WebApp
from slipway.release.webapp.az import Az, PatientAz
from slipway.release.webapp.in_place import InPlace
from slipway.release.webapp.listed import require_listed
from slipway.release.webapp.record import RECORD, Release, mark_of, release_of, users_settings
from slipway.release.webapp.through_slot import ThroughSlot

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,58}[A-Za-z0-9])")
GROUP = re.compile(r"[\w().-]{0,89}[\w()-]")
PRODUCTION_SECONDS = 120


def deploy(name: str, repository: str, group: str, request: Request, bundle: str) -> Iterator[str]:
    """Make a release live; yields the steps, and at the end a line that begins with ``Result: ``.

    Parameters
    ----------
    name : str
        Of the Web App.
    repository : str
        ``HOST/REPO`` of the image.
    group : str
        Resource group of the Web App.
    request : Request
    bundle : str
        Digest of the bundle that the release must serve.

    Raises
    ------
    ReleaseError
        If it is older than what is live, or failed; then what served before serves as before.
    """
    if not NAME.fullmatch(name):
        raise ReleaseError(f"{name!r} cannot be the name of a Web App", "Set AZURE_WEBAPP_NAME: 2 to 60 letters, digits and -")
    if not GROUP.fullmatch(group):
        raise ReleaseError(f"{group!r} cannot be the name of a resource group", "Set AZURE_RESOURCE_GROUP")
    with interruptible() as clock:
        yield from WebAppRelease(WebApp(Az(), clock, name, group), clock, Clock(), repository, bundle).deploy(request)


@dataclass(frozen=True)
class WebAppRelease:
    """A Web App and what it may run.

    Parameters
    ----------
    app : WebApp
    clock, steady : Clock
        The second is one that no signal ends: for the way back.
    repository : str
        ``HOST/REPO``.
    bundle : str
        Digest of the bundle that /readyz must name.
    """

    app: WebApp
    clock: Clock
    steady: Clock
    repository: str
    bundle: str

    def deploy(self, request: Request) -> Iterator[str]:
        """As the function of this name."""
        start = self.clock.now()
        seen = self.app.look()
        live = release_of(seen.settings)
        yield f"live: {live or 'nothing that a release made'}"
        require_order(request, live, self.app.name)
        require_listed(PatientAz(self.app.az, self.clock), self.repository, request)
        sticky = self.app.sticky()
        own = users_settings(seen.settings, sticky)
        yield f"{self.repository}:{request.key} is {request.digest}; settings: {', '.join(sorted(own)) or 'none'}"
        if live and is_live(live, request, self.repository, mark_of(own), seen):
            require_release(PublicAddress(seen.host, 443, True), live.id, self.bundle, self.clock, PRODUCTION_SECONDS)
            yield f"Result: {live} is already live ({self.clock.now() - start:.2f} s)"
            return
        release = Release(new_id(), request, self.repository, mark_of(own))
        gap = ""
        if seen.slot_host:
            yield from ThroughSlot(self.app, self.clock, self.steady, release, self.bundle, seen, sticky).steps()
        else:
            yield "the app has no slot staging: it does not answer while the new container starts"
            seconds = InPlace(self.app, self.clock, self.steady, release, self.bundle, seen).replace()
            gap = f"; without a slot it may not have answered for {seconds:.0f} s"
        yield f"Result: {release} is live ({self.clock.now() - start:.2f} s{gap})"


def is_live(live: Release, request: Request, repository: str, mark: str, seen: Look) -> bool:
    """Whether a request asks for what is live: the same run of the workflow, image and settings."""
    return (live.request, live.repository, live.settings, live.image) == (request, repository, mark, seen.image)


def require_order(request: Request, live: Release | None, name: str) -> None:
    """An older commit never overwrites a newer one; ReleaseError."""
    if live and request.run_number < live.request.run_number:
        raise ReleaseError(
            f"run {request.run_number} is older than run {live.request.run_number}, which is live",
            f"{EARLIER}, delete the app setting {RECORD} of {name}",
        )
