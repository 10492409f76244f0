"""One service of Cloud Run: what it and its revisions say, and the calls that change it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.cloudrun.gcloud import UP, Gcloud, GcloudError
from slipway.release.request import OURS, Request, release_text

TAG = "next"  # of the newest revision that a release made; its address answers before the service's own does
KEY_DIGITS = 63  # of 64: a label holds no more
RESTARTED = "slipway-restarted"
OF_GCLOUD = ("client.knative.dev/", "run.googleapis.com/client-", "run.googleapis.com/operation-")  # differ from call to call


@dataclass(frozen=True)
class Release:
    """What a revision says of its release, in its labels.

    Parameters
    ----------
    id : str
        12 hexadecimal digits, the end of the revision's name.
    digest, commit : str
        As requested.
    key : str
        The first 63 digits of the release key.
    run_number : int
    settings : str
        The mark of the settings it was released with.
    """

    id: str
    digest: str
    commit: str
    key: str
    run_number: int
    settings: str

    @property
    def labels(self) -> dict[str, str]:
        return {
            "slipway-release": self.id,
            "slipway-commit": self.commit,
            "slipway-key": self.key,
            "slipway-run": str(self.run_number),
            "slipway-settings": self.settings,
        }

    def answers(self, request: Request, settings: str) -> bool:
        """Whether this is what is requested, with the settings of now."""
        asked = (request.digest, request.commit, request.key[:KEY_DIGITS], request.run_number, settings)
        return (self.digest, self.commit, self.key, self.run_number, self.settings) == asked

    def __str__(self) -> str:
        return release_text(self.id, self.run_number, self.commit, self.digest)


@dataclass(frozen=True)
class RunService:
    """A service as it is.

    Parameters
    ----------
    url : str
        Where users ask it.
    next_revision, next_url : str
        The revision with the tag `TAG`, and where it answers; empty if there is none.
    traffic : mapping
        Revision → percent, of those that have some.
    labels : mapping
    template : mapping
        What the next revision is made from; scaling, CPU between requests and the network are in its annotations.
    """

    url: str
    next_revision: str
    next_url: str
    traffic: Mapping[str, int]
    labels: Mapping[str, str]
    template: Mapping[str, Any]

    @property
    def latest_secrets(self) -> list[str]:
        """Secrets that variables take in their newest version."""
        found = (each.get("valueFrom", {}).get("secretKeyRef", {}) for each in _container(self.template).get("env", []))
        return sorted({each["name"] for each in found if each.get("key") == "latest"})


def parse_service(document: Mapping[str, Any]) -> RunService:
    """A service from ``gcloud run services describe``."""
    status = document.get("status", {})
    traffic: dict[str, int] = {}
    for each in status.get("traffic", []):
        if each.get("percent") and each.get("revisionName"):
            traffic[each["revisionName"]] = traffic.get(each["revisionName"], 0) + each["percent"]
    tagged: Mapping[str, Any] = next((each for each in status.get("traffic", []) if each.get("tag") == TAG), {})
    if not traffic or not status.get("url"):
        raise ReleaseError(f"the service {document['metadata']['name']} serves nothing", UP)
    labels = document["metadata"].get("labels", {})
    place = (tagged.get("revisionName", ""), tagged.get("url", ""))
    return RunService(status["url"], *place, traffic, labels, document["spec"]["template"])


def release_of(revision: Mapping[str, Any]) -> Release | None:
    """The release that a revision belongs to; None for one that no release made."""
    labels = revision["metadata"].get("labels", {})
    if not labels.get("slipway-release") or not labels.get("slipway-run", "").isdecimal():
        return None
    return Release(
        labels["slipway-release"],
        _container(revision)["image"].rpartition("@")[2],
        labels.get("slipway-commit", ""),
        labels.get("slipway-key", ""),
        int(labels["slipway-run"]),
        labels.get("slipway-settings", ""),
    )


def settings_mark(template: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """Hash of what a revision is made from beyond the image, and of the versions of secrets; values are part of it."""
    spec, annotations = template["spec"], template["metadata"].get("annotations", {})
    ours = {name: value for name, value in annotations.items() if not name.startswith(OF_GCLOUD)}
    containers = [
        {name: value for name, value in each.items() if name not in ("image", "name")}  # Cloud Run names it like the image
        | {"env": [entry for entry in each.get("env", []) if entry["name"] not in OURS]}
        for each in spec["containers"]
    ]
    known = json.dumps([{**spec, "containers": containers}, ours, dict(secrets)], sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def _container(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container that serves: the one with a port, if there are several."""
    containers: list[Mapping[str, Any]] = document["spec"]["containers"]
    return next((each for each in containers if each.get("ports")), containers[0])


@dataclass(frozen=True)
class CloudRun:
    """The service `name` of a region."""

    gcloud: Gcloud
    name: str
    region: str

    def look(self) -> RunService:
        """The service as it is now; GcloudError if there is none."""
        return parse_service(self.gcloud("run", "services", "describe", self.name, self._place))

    def release(self, revision: str) -> Release | None:
        """The release of a revision; None if no release made it."""
        return release_of(self.gcloud("run", "revisions", "describe", revision, self._place))

    def prepare(self, release: Release, image: str) -> None:
        """Make the revision of a release, without traffic, and wait until Cloud Run finds it ready."""
        variables = dict(zip(OURS, (release.id, release.commit, "1"), strict=True))
        self.gcloud(
            *("run", "services", "update", self.name, self._place, f"--image={image}", "--no-traffic"),
            *(f"--tag={TAG}", f"--revision-suffix={release.id}"),
            *(f"--update-env-vars={_listed(variables)}", f"--update-labels={_listed(release.labels)}"),
        )

    def untag(self, release: Release) -> None:
        """Take the tag from the revision of a release: while a tag names one that is not ready, Cloud Run moves no traffic."""
        wanted = self.gcloud("run", "services", "describe", self.name, self._place)["spec"].get("traffic", [])
        if any(each.get("tag") == TAG and each.get("revisionName") == self.revision(release) for each in wanted):
            self.gcloud("run", "services", "update-traffic", self.name, self._place, f"--remove-tags={TAG}")

    def revision(self, release: Release) -> str:
        """The name of its revision."""
        return f"{self.name}-{release.id}"

    def send(self, traffic: Mapping[str, int]) -> None:
        """Give revisions these shares of the traffic, and all others none."""
        self.gcloud("run", "services", "update-traffic", self.name, self._place, f"--to-revisions={_listed(traffic)}")

    def secret_versions(self, service: RunService) -> dict[str, str]:
        """Secret → number of its newest version, where a variable takes the newest; empty where it may not be read."""
        found = {}
        for secret in service.latest_secrets:
            try:
                answer = self.gcloud("secrets", "versions", "describe", "latest", f"--secret={secret}")
                found[secret] = str(answer["name"]).rpartition("/")[2]
            except GcloudError as error:
                if error.passing:
                    raise
                found[secret] = ""
        return found

    @property
    def _place(self) -> str:
        return f"--region={self.region}"


def _listed(values: Mapping[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())
