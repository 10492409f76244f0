"""Makes a release live on Kubernetes: apply, follow the rollout, ask the public address; or back to the release before."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.clock import Cancelled, Clock, interruptible
from slipway.release.kubernetes.confirmed import confirmed, confirmed_id, note_confirmed
from slipway.release.kubernetes.entrance import Entrance, entrance_of
from slipway.release.kubernetes.fields import foreign_fields
from slipway.release.kubernetes.kubectl import Conflict, Kubectl
from slipway.release.kubernetes.overlay import LOCK, require_overlay, write_overlay
from slipway.release.kubernetes.pod_report import pod_report
from slipway.release.kubernetes.way_back import WayBack, settings_version
from slipway.release.kubernetes.workload import NAME, Version, progress_of, require_order, version_of
from slipway.release.public_address import PublicAddress, address_of, require_release
from slipway.release.request import Request, new_id

ROLLOUT_SECONDS = 900
STALE_SECONDS = 300  # as progressDeadlineSeconds
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
        If it is older than the live release, or failed; then the Deployment is that of the confirmed release again.
    """
    with interruptible() as clock:
        release = ClusterRelease(Kubectl(name), overlay, f"{repository}@{request.digest}", request, bundle, clock)
        yield from release.steps()


@dataclass(frozen=True)
class Start:
    """What a release began with, and what it applied.

    Parameters
    ----------
    before : mapping or None
        The Deployment of the confirmed release.
    found : mapping or None
        The Deployment as it was.
    version : Version
    entrance : Entrance or None
        None until the trial of the apply has named it.
    """

    before: Any
    found: Any
    version: Version
    entrance: Entrance | None


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
        start = self._apply()
        version, found = start.version, start.found
        try:
            yield f"Look: {self._live(start)} in namespace {self.kubectl.namespace}"
            yield f"Apply: {self.overlay} with {version}"
            yield from self._follow(start)
            address = self._address(start.entrance)
            require_release(address, version.release, self.bundle, self.clock, PUBLIC_SECONDS)
        except GeneratorExit:  # whoever reads the lines is gone, as when a job is cancelled
            said = self._failed(Cancelled(), start)
            with suppress(OSError):
                print(f"slipway: {said}", file=sys.stderr, flush=True)
            raise
        except SlipwayError as error:
            raise self._failed(error, start) from error
        warning = self._note(version)
        yield f"Check: {address} answers with this release and its bundle"
        yield from warning
        again = found is not None and version_of(found) == version and progress_of(found).over
        foreign = self._foreign()
        yield from foreign
        again = again and confirmed_id(found) == version.release and not foreign
        yield f"Result: {version} is {'already ' * again}live"

    def _live(self, start: Start) -> str:
        """What was live, and what was applied after that."""
        if start.found is None:
            return "nothing is live"
        live, last = start.before and version_of(start.before), version_of(start.found)
        if live == last:
            return f"{live} is live"
        known = f"{live} is live" if live else "no confirmed release is left"
        return f"{known}; {last} was applied after it, and never confirmed,"

    def _note(self, version: Version) -> list[str]:
        """Note that it is live; what to say if that fails."""
        for left in reversed(range(TRIES)):
            try:
                note_confirmed(self.kubectl, version.release)
                return []
            except ReleaseError as error:
                said = error.cause
            if left:
                Clock().pause(PAUSE)
        return [f"warning: the release is live, but that could not be noted ({said}). Run the job again"]

    def _foreign(self) -> list[str]:
        """Warnings about fields that no release removes."""
        with suppress(ReleaseError):
            found = self._find()
            by_manager = foreign_fields(found) if found else {}
            cure = 'docs/kubernetes.md ("Limits") says how to remove them'
            return [
                f"warning: fields that git does not name, of {manager}: {', '.join(fields)}. They stay; {cure}"
                for manager, fields in by_manager.items()
            ]
        return []

    def _find(self) -> Any:
        return self.kubectl.find("deployment", NAME)

    def _apply(self) -> Start:
        """Apply what is requested; returns what was there before. Looks again if somebody was faster."""
        before: Any = None
        first: Any = None
        made: str | None = None
        for _ in range(TRIES):
            found = self._find()
            self._require_unpaused(found)
            if found is None or version_of(found).release != made:
                before, first = confirmed(self.kubectl, found), found
            start = Start(before, first, version := self._version(found), None)
            made = version.release
            with TemporaryDirectory() as folder:
                known = found["metadata"]["resourceVersion"] if found else ""
                write_overlay(Path(folder), self.overlay, self.kubectl.namespace, version, known)
                try:
                    tried = self.kubectl.apply("--dry-run=server", "--kustomize", folder, "--output=json")
                    start = replace(start, entrance=entrance_of(json.loads(tried), self.overlay))
                    self._put(folder, start, ("", "!") if known else None)
                    return start
                except Conflict:
                    Clock().pause(PAUSE)  # whoever ends the job is heard when it is known what was changed
        beaten = ReleaseError(f"others changed the objects {TRIES} times meanwhile", "Run the job again")
        raise self._failed(beaten, start)

    def _put(self, folder: str, start: Start, parts: tuple[str, ...] | None) -> None:
        """Apply for good: the Deployment, which is refused if it has changed, and only then the other objects."""
        try:
            for part in parts or ():
                self.kubectl.apply("--kustomize", folder, f"--selector={part}{LOCK}")
            if parts is None:
                self.kubectl.apply("--kustomize", folder)
        except Conflict:
            raise
        except ReleaseError as error:
            raise self._failed(error, start) from error

    def _failed(self, error: SlipwayError, start: Start) -> ReleaseError:
        cause = "cancelled" if isinstance(error, Cancelled) else error.cause
        back = WayBack(self.kubectl, start.before, start.version, start.entrance, Clock()).go()
        return ReleaseError(f"{cause}; {back}", error.cure)

    def _version(self, found: Any) -> Version:
        """The live version, if it is what is requested, with the settings of now; otherwise a new one."""
        settings, request = settings_version(self.kubectl), self.request
        if found is not None:
            live = version_of(found)
            require_order(live, request, confirmed_id(found) in ("", live.release))
            if live.release and live.answers(request, self.image, settings):
                return live
        return Version(new_id(), request.commit, request.key, request.run_number, settings, self.image)

    def _follow(self, start: Start) -> Iterator[str]:
        """Wait until all pods are of this release, and available."""
        version, said, begun = start.version, "", self.clock.now()
        deadline, earlier = begun + ROLLOUT_SECONDS, progress_of(start.found).since if start.found else ""
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
                # What an earlier attempt ran into is still said until a pod makes progress.
                told_before = progress.since == earlier != "" and self.clock.now() < begun + STALE_SECONDS
                if (progress.stuck and not told_before) or late:
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
        self._require_unpaused(found)

    def _require_unpaused(self, found: Any) -> None:
        if found is not None and found["spec"].get("paused"):
            cure = f"Resume it: kubectl --namespace {self.kubectl.namespace} rollout resume deployment/{NAME}"
            raise ReleaseError("the Deployment is paused, so no release rolls out", cure)

    def _address(self, entrance: Entrance | None) -> PublicAddress:
        """Where to ask: at the load balancer itself, once it has an address, so that DNS may follow later."""
        assert entrance is not None
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
