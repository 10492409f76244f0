"""Makes a release live on Kubernetes: apply, follow the rollout, ask the public address; or back to the release before."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.clock import Cancelled, Clock, interruptible
from slipway.release.kubernetes.entrance import Entrance, entrance_of
from slipway.release.kubernetes.kubectl import Conflict, Kubectl
from slipway.release.kubernetes.overlay import require_overlay, write_overlay
from slipway.release.kubernetes.pod_report import pod_report
from slipway.release.kubernetes.workload import NAME, SETTINGS, Version, progress_of, require_order, version_of, without_state
from slipway.release.public_address import PublicAddress, address_of, require_release
from slipway.release.request import Request

ROLLOUT_SECONDS = 900
BACK_SECONDS = 300
PUBLIC_SECONDS = 300  # a new load balancer takes minutes
PAUSE = 2.0
TRIES = 5


def deploy(name: str, repository: str, overlay: Path, request: Request, bundle: str) -> Iterator[str]:
    """Make the requested release live; lines about it, the last of which begins with ``Result: ``.

    Parameters
    ----------
    name : str
        Of the service: its namespace.
    repository : str
        ``HOST/REPOSITORY`` of the image.
    overlay : Path
        A folder of ``deploy/kubernetes`` in a checkout of the commit that is released.
    request : Request
    bundle : str
        Digest that ``/readyz`` must name.

    Raises
    ------
    ReleaseError
        If it is older than the live release, or failed; then the Deployment is that of the release before again.
    """
    with interruptible() as clock:
        release = ClusterRelease(Kubectl(name), overlay, f"{repository}@{request.digest}", request, bundle, clock)
        yield from release.steps()


@dataclass(frozen=True)
class ClusterRelease:
    """One release, from the look at what is live to the answer of the public address.

    Parameters
    ----------
    kubectl : Kubectl
    overlay : Path
    image : str
        ``REPOSITORY@sha256:…``.
    request : Request
    bundle : str
    clock : Clock
    """

    kubectl: Kubectl
    overlay: Path
    image: str
    request: Request
    bundle: str
    clock: Clock

    def steps(self) -> Iterator[str]:
        """Do it, and tell each step."""
        require_overlay(self.overlay)
        before, version, entrance = self._apply()
        live = "nothing" if before is None else str(version_of(before))
        yield f"Look: {live} is live in namespace {self.kubectl.namespace}"
        yield f"Apply: {self.overlay} with {version}"
        try:
            yield from self._follow(version)
            address = self._address(entrance)
            require_release(address, version.release, self.bundle, self.clock, PUBLIC_SECONDS)
        except SlipwayError as error:
            raise self._failed(error, before, version) from error
        yield f"Check: {address} answers with this release and its bundle"
        again = before is not None and version_of(before) == version and progress_of(before).over
        yield f"Result: {version} is {'already ' * again}live"

    def _find(self) -> Any:
        return self.kubectl.find("deployment", NAME)

    def _apply(self) -> tuple[Any, Version, Entrance]:
        """Apply what is requested; returns the Deployment of before. Looks again if somebody was faster."""
        before: Any = None
        made: str | None = None
        for _ in range(TRIES):
            found = self._find()
            if found is None or version_of(found).release != made:
                before = found
            version = self._version(found)
            made = version.release
            with TemporaryDirectory() as folder:
                known = found["metadata"]["resourceVersion"] if found else ""
                write_overlay(Path(folder), self.overlay, self.kubectl.namespace, version, known)
                try:
                    tried = self.kubectl.apply("--dry-run=server", "--kustomize", folder, "--output=json")
                    entrance = entrance_of(json.loads(tried), self.overlay)
                    self._put(folder, before, version)
                    return before, version, entrance
                except Conflict:
                    Clock().pause(PAUSE)  # whoever ends the job is heard when it is known what was changed
        beaten = ReleaseError(f"others changed the objects {TRIES} times meanwhile", "Run the job again")
        raise self._failed(beaten, before, version)

    def _put(self, folder: str, before: Any, version: Version) -> None:
        """Apply for good. It is not one step for the cluster: if another object fails, the Deployment may be new."""
        try:
            self.kubectl.apply("--kustomize", folder)
        except Conflict:
            raise
        except ReleaseError as error:
            raise self._failed(error, before, version) from error

    def _failed(self, error: SlipwayError, before: Any, version: Version) -> ReleaseError:
        cause = "cancelled" if isinstance(error, Cancelled) else error.cause
        return ReleaseError(f"{cause}; {self._back(before, version)}", error.cure)

    def _version(self, found: Any) -> Version:
        """The live version, if it is what is requested, with the settings of now; otherwise a new one."""
        version_only = "--output=jsonpath={.metadata.resourceVersion}"
        settings = self.kubectl("get", "secret", SETTINGS, "--ignore-not-found", version_only).strip()
        request = self.request
        if found is not None:
            live = version_of(found)
            require_order(live, request)
            if live.release and live.answers(request, self.image, settings):
                return live
        return Version(os.urandom(6).hex(), request.commit, request.key, request.run_number, settings, self.image)

    def _follow(self, version: Version) -> Iterator[str]:
        """Wait until all pods are of this release, and available."""
        said, deadline = "", self.clock.now() + ROLLOUT_SECONDS
        while True:
            late = self.clock.now() > deadline
            try:
                found = self._find()
            except ReleaseError as error:  # during an update of the cluster, for example
                if late:
                    raise
                line = f"warning: {error.cause}"
            else:
                self._require_own(found, version)
                progress = progress_of(found)
                if progress.over:
                    return
                line = f"Roll out: {progress}"
                if progress.stuck or late:
                    yield from pod_report(self.kubectl, version.release)
                    why = progress.stuck or f"after {ROLLOUT_SECONDS} s, {progress}"
                    raise ReleaseError(f"release {version.release} did not get ready ({why.rstrip('.')})")
            if line != said:
                yield line
            said = line
            self.clock.pause(PAUSE)

    def _require_own(self, found: Any, version: Version) -> None:
        if found is None or version_of(found).release != version.release:
            other = "nobody: the Deployment is gone" if found is None else str(version_of(found))
            raise ReleaseError(f"release {version.release} was overtaken by {other}")

    def _address(self, entrance: Entrance) -> PublicAddress:
        """Where to ask: at the load balancer itself, once it has an address, so that DNS may follow later."""
        deadline, place = self.clock.now() + PUBLIC_SECONDS, ""
        describe = f"kubectl --namespace {self.kubectl.namespace} describe {entrance.kind} {entrance.name}"
        while entrance.kind and not place:
            late = ReleaseError(f"{entrance.kind} {entrance.name} has no address after {PUBLIC_SECONDS} s", f"See {describe}")
            try:
                place = entrance.place(self.kubectl.find(entrance.kind, entrance.name))
            except ReleaseError as error:
                late = error
            if not place:
                if self.clock.now() > deadline:
                    raise late
                self.clock.pause(PAUSE)
        return address_of(entrance.url, place)

    def _back(self, before: Any, version: Version) -> str:
        """Restore the Deployment of before, unless another release took over; a few words on the result.

        Not by ``kubectl rollout undo``: what that sets is another manager's, and no later release could remove it.
        """
        clock = Clock()  # no signal ends this one
        deadline, again = clock.now() + BACK_SECONDS, False
        while True:
            try:
                kept = self._restore(before, version, again)
                return kept or self._await_back(version_of(before), clock)
            except ReleaseError as error:
                if clock.now() > deadline:
                    cure = f'docs/kubernetes.md ("An emergency") says how to do that in namespace {self.kubectl.namespace}'
                    return f"the release before could not be restored ({error.cause}); {cure}"
            again = True
            clock.pause(PAUSE)

    def _restore(self, before: Any, version: Version, again: bool) -> str:
        """Apply the Deployment of before; why not, if it must not be."""
        found = self._find()
        if before is not None and version_of(before) == version:
            return "nothing was taken back, because it was the live release before, too"
        if again and before is not None and found is not None and version_of(found) == version_of(before):
            return ""  # an earlier attempt did it, and its answer was lost
        if found is None or version_of(found).release != version.release:
            return "nothing was taken back, because the Deployment is not this release's"
        if before is None:
            return "there is no release before it, so its pods stay"
        content = json.dumps(without_state(before, found["metadata"]["resourceVersion"]))
        self.kubectl.apply("--filename=-", content=content)
        return ""

    def _await_back(self, old: Version, clock: Clock) -> str:
        deadline = clock.now() + BACK_SECONDS
        while clock.now() < deadline:
            with suppress(ReleaseError):
                found = self._find()
                if found is None or version_of(found) != old:
                    break
                if progress_of(found).over:
                    return f"{old} is live as before"
            clock.pause(PAUSE)
        return f"{old} is restored, but not all of its pods are ready"
