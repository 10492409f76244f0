"""The way back from a release that failed: the Deployment of the confirmed release again."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.clock import Clock
from slipway.release.kubernetes.entrance import Entrance
from slipway.release.kubernetes.kubectl import Kubectl
from slipway.release.kubernetes.workload import NAME, SETTINGS, Version, progress_of, version_of, without_state
from slipway.release.public_address import address_of, require_release

SECONDS = 300
PAUSE = 2.0


@dataclass(frozen=True)
class WayBack:
    """Restores the Deployment of before, unless another release took over.

    Not by ``kubectl rollout undo``: what that sets is another manager's, and no later release could remove it.

    Parameters
    ----------
    kubectl : Kubectl
    before : mapping or None
        The Deployment of the confirmed release.
    version : Version
        What failed.
    entrance : Entrance or None
        None if it is not known yet.
    clock : Clock
        One that no signal ends.
    """

    kubectl: Kubectl
    before: Any
    version: Version
    entrance: Entrance | None
    clock: Clock

    def go(self) -> str:
        """Do it; a few words on the result."""
        deadline, again = self.clock.now() + SECONDS, False
        while True:
            try:
                return self._restore(again) or self._await()
            except ReleaseError as error:
                if self.clock.now() > deadline:
                    cure = f'docs/kubernetes.md ("An emergency") says how to do that in namespace {self.kubectl.namespace}'
                    return f"the release before could not be restored ({error.cause}); {cure}"
            again = True
            self.clock.pause(PAUSE)

    def _restore(self, again: bool) -> str:
        """Apply the Deployment of before; why not, if it must not be."""
        found, before = self.kubectl.find("deployment", NAME), self.before
        if before is not None and version_of(before) == self.version:
            return "nothing was taken back, because it was the live release before, too"
        if again and before is not None and found is not None and version_of(found) == version_of(before):
            return ""  # an earlier attempt did it, and its answer was lost
        if found is None or version_of(found).release != self.version.release:
            return "nothing was taken back, because the Deployment is not this release's"
        if before is None:
            return "there is no confirmed release before it, so its pods stay"
        self.kubectl.apply("--filename=-", content=json.dumps(without_state(before, found["metadata"]["resourceVersion"])))
        return ""

    def _await(self) -> str:
        deadline, old = self.clock.now() + SECONDS, version_of(self.before)
        others = f"Service, Ingress and all other objects are those of commit {self.version.commit[:12]}"
        while self.clock.now() < deadline:
            with suppress(ReleaseError):
                found = self.kubectl.find("deployment", NAME)
                if found is None or version_of(found) != old:
                    break
                if progress_of(found).over:
                    return f"pods of {old} run again{self._answer(old)}; {others}{self._newer_settings(old)}"
            self.clock.pause(PAUSE)
        return f"{old} is restored, but not all of its pods are ready; {others}"

    def _answer(self, old: Version) -> str:
        """Whether the public address answers with it."""
        try:
            entrance = self.entrance
            if entrance is None or not old.release:
                return ""
            place = entrance.place(self.kubectl.find(entrance.kind, entrance.name)) if entrance.kind else ""
            if entrance.kind and not place:
                return ", but the load balancer has no address"
            address = address_of(entrance.url, place)
            require_release(address, old.release, None, self.clock)
            return f", and {address} answers with it"
        except ReleaseError as error:
            return f", but {error.cause}"

    def _newer_settings(self, old: Version) -> str:
        with suppress(ReleaseError):
            if settings_version(self.kubectl) != old.settings:
                return f"; its new pods have the Secret {SETTINGS} of now, which is not that of the release"
        return ""


def settings_version(kubectl: Kubectl) -> str:
    """Resource version of the Secret with the settings; empty if there is none."""
    version_only = "--output=jsonpath={.metadata.resourceVersion}"
    return kubectl("get", "secret", SETTINGS, "--ignore-not-found", version_only).strip()
