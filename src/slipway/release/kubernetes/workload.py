"""What a Deployment says: which release it runs, and how far that is rolled out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.request import EARLIER, Request, release_text

NAME = "slipway"  # of the Deployment, its Service and all others, in a namespace of their own
CONTAINER = "app"
SETTINGS = "slipway-settings"


@dataclass(frozen=True)
class Version:
    """A release in a cluster, as its pods are told.

    Parameters
    ----------
    release : str
        Id: 12 hexadecimal digits.
    commit, key : str
        As requested.
    run : int
        Number of the workflow run; 0 if the Deployment was not made by a release.
    settings : str
        Version of the Secret with the settings; empty if there is none.
    image : str
        ``REPOSITORY@sha256:…``.
    """

    release: str
    commit: str
    key: str
    run: int
    settings: str
    image: str

    def __str__(self) -> str:
        return release_text(self.release, self.run, self.commit, self.image.rpartition("@")[2])

    def annotations(self) -> dict[str, str]:
        """Annotations of a pod; its environment names release and commit from here."""
        return {
            "slipway/release": self.release,
            "slipway/commit": self.commit,
            "slipway/key": self.key,
            "slipway/run": str(self.run),
            "slipway/settings": self.settings,
        }

    def answers(self, request: Request, image: str, settings: str) -> bool:
        """Whether this is what is requested, with the settings of now."""
        asked = (request.commit, request.key, request.run_number, image, settings)
        return (self.commit, self.key, self.run, self.image, self.settings) == asked


def version_of(deployment: Mapping[str, Any]) -> Version:
    """The release that a Deployment runs: its pod template decides, which a rollback takes back, too."""
    template = deployment["spec"]["template"]
    noted = template["metadata"].get("annotations") or {}
    run = noted.get("slipway/run", "")
    return Version(
        release=noted.get("slipway/release", ""),
        commit=noted.get("slipway/commit", ""),
        key=noted.get("slipway/key", ""),
        run=int(run) if run.isdecimal() else 0,
        settings=noted.get("slipway/settings", ""),
        image=next((each["image"] for each in template["spec"]["containers"] if each["name"] == CONTAINER), ""),
    )


@dataclass(frozen=True)
class Progress:
    """How far a rollout is.

    Parameters
    ----------
    ready : int
        Pods of this template that are available.
    wanted : int
    old : int
        Pods of earlier templates that are not yet replaced.
    over : bool
        Whether all pods are of this template and available.
    stuck : str
        Why there was no progress within ``progressDeadlineSeconds``; else empty.
    since : str
        Since when it is stuck; empty if it is not.
    """

    ready: int
    wanted: int
    old: int
    over: bool
    stuck: str
    since: str = ""

    def __str__(self) -> str:
        return f"{self.ready} of {self.wanted} pods are ready, {self.old} of an earlier release"


def progress_of(deployment: Mapping[str, Any]) -> Progress:
    """As ``kubectl rollout status`` sees it (DeploymentStatusViewer in k8s.io/kubectl)."""
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    updated, all = status.get("updatedReplicas", 0), status.get("replicas", 0)
    # Available pods are of any template; those of the new one are at most as many.
    available = status.get("availableReplicas", 0)
    over = seen and updated >= wanted and all <= updated and available >= updated
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    halted = conditions.get("Progressing", {})
    stuck, since = "", ""
    if seen and halted.get("reason") == "ProgressDeadlineExceeded":
        refused = conditions.get("ReplicaFailure", {})
        since = halted.get("lastUpdateTime", "")
        stuck = refused.get("message") or halted.get("message") or "the progress deadline has passed"
    old = all - updated
    return Progress(updated if over else max(0, available - old) if seen else 0, wanted, old, over, stuck, since)


def without_state(deployment: Mapping[str, Any], known: str) -> dict[str, Any]:
    """A Deployment as it can be applied again, unless its resource version is another than `known`."""
    metadata, spec = deployment["metadata"], dict(deployment["spec"])
    spec.pop("replicas", None)  # the autoscaler's
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"]}}
    template["metadata"].pop("creationTimestamp", None)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": metadata["name"], "resourceVersion": known, "labels": metadata.get("labels", {})},
        "spec": {**spec, "template": template},
    }


def require_order(last: Version, request: Request, confirmed: bool) -> None:
    """An older commit never overwrites a newer one, live or not; ReleaseError."""
    if request.run_number < last.run:
        newer = f"the live run {last.run}" if confirmed else f"run {last.run}, which was applied last and is not confirmed"
        raise ReleaseError(
            f"run {request.run_number} is older than {newer}",
            f"{EARLIER}, docs/kubernetes.md says what to do",
        )
