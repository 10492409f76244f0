"""A revision of the task definition: what it says of the release, and the next one. Nothing here calls AWS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.fargate.aws import UP
from slipway.release.fargate.parameters import Settings
from slipway.release.request import OURS, Request, release_text

APP = "app"  # the container that serves
PREVIOUS = "slipway.previous"
DIGEST = "slipway.digest"
READ_ONLY = (  # in the answer of describe-task-definition, but not in what register-task-definition takes
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
)
REPOSITORY = re.compile(r"(?P<repository>[^@]+?)(:[^:/@]+)?(@.+)?")


@dataclass(frozen=True)
class Release:
    """What a revision says of its release.

    Parameters
    ----------
    id : str
        12 hexadecimal digits, as on a box.
    digest, commit, key, run_number
        As requested.
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
    def request(self) -> Request:
        return Request(self.digest, self.key, self.commit, self.run_number)

    def __str__(self) -> str:
        return release_text(self.id, self.run_number, self.commit, self.digest)


def release_of(definition: Mapping[str, Any]) -> Release | None:
    """The release that a task definition belongs to; None for one that no release made.

    Whoever copies a revision and replaces its image, as CodePipeline's action for ECS does, copies labels of another release.
    """
    app = _app(definition)
    labels = app.get("dockerLabels", {})
    if not labels.get("slipway.release") or not labels.get("slipway.run", "").isdecimal():
        return None
    digest = app["image"].rpartition("@")[2]
    if labels.get(DIGEST, digest) != digest:
        return None
    return Release(
        labels["slipway.release"],
        digest,
        labels.get("slipway.commit", ""),
        labels.get("slipway.key", ""),
        int(labels["slipway.run"]),
        labels.get("slipway.settings", ""),
    )


def previous_of(definition: Mapping[str, Any]) -> str | None:
    """ARN of the revision that served when a release was made; None if none did."""
    return _app(definition).get("dockerLabels", {}).get(PREVIOUS) or None


def next_revision(
    current: Mapping[str, Any],
    release: Release,
    repository: str,
    settings: Settings,
    proxies: int,
    previous: str | None = None,
) -> dict[str, Any]:
    """What register-task-definition takes for a release: the current revision with its image, settings and labels.

    Parameters
    ----------
    current : mapping
        As describe-task-definition has it.
    repository : str
        ``HOST/REPO`` of the image.
    proxies : int
        How many stand between the internet and a task.
    previous : str or None
        The revision to go back to if the release fails; None if nothing serves.

    Raises
    ------
    ReleaseError
        If there is no container `app`, or it has an environment variable with the name of a parameter.
    """
    app = _app(current)
    replaced = released_containers(current, repository)
    containers = []
    for each in current["containerDefinitions"]:
        image = f"{repository}@{release.digest}" if each["name"] in replaced else each["image"]
        containers.append({**each, "image": image})
    containers[current["containerDefinitions"].index(app)] |= {
        "environment": _environment(app, release, settings, proxies),
        "secrets": _secrets(app, settings),
        "dockerLabels": {**_kept_labels(app), **_labels(release, previous)},
    }
    kept = {name: value for name, value in current.items() if name not in READ_ONLY}
    return {**kept, "containerDefinitions": containers}


def released_containers(definition: Mapping[str, Any], repository: str) -> list[str]:
    """Names of the containers that run the image of a release: `app`, and those of the same image."""
    replaced = {repository, repository_of(_app(definition)["image"])}
    return [each["name"] for each in definition["containerDefinitions"] if repository_of(each["image"]) in replaced]


def environment_of(definition: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables of the container `app`, without its secrets."""
    return {each["name"]: each["value"] for each in _app(definition).get("environment", [])}


def repository_of(image: str) -> str:
    """An image's name without tag and digest."""
    found = REPOSITORY.fullmatch(image)
    return found["repository"] if found else image


def _app(definition: Mapping[str, Any]) -> dict[str, Any]:
    found = [each for each in definition["containerDefinitions"] if each["name"] == APP]
    if not found:
        raise ReleaseError(f"{definition.get('taskDefinitionArn')} has no container {APP!r}", UP)
    return dict(found[0])


def _environment(app: Mapping[str, Any], release: Release, settings: Settings, proxies: int) -> list[dict[str, str]]:
    ours = dict(zip(OURS, (release.id, release.commit, str(proxies)), strict=True))
    kept = {each["name"]: each["value"] for each in app.get("environment", []) if each["name"] not in ours}
    for name in settings.names:
        if name in kept:  # ECS would refuse the revision
            raise ReleaseError(
                f"{name} is set twice: by the parameter {settings.prefix}{name} and by the task definition",
                "Delete the parameter, or the variable in deploy/fargate and run deploy/fargate/up",
            )
    return [{"name": name, "value": value} for name, value in {**kept, **ours}.items()]


def _secrets(app: Mapping[str, Any], settings: Settings) -> list[dict[str, str]]:
    """Those of the parameters; what the stack takes from elsewhere stays."""
    others = [
        each
        for each in app.get("secrets", [])
        if settings.prefix not in each["valueFrom"] and each["name"] not in settings.names
    ]
    return [*others, *({"name": name, "valueFrom": settings.prefix + name} for name in settings.names)]


def _kept_labels(app: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in app.get("dockerLabels", {}).items() if name != PREVIOUS}


def _labels(release: Release, previous: str | None) -> dict[str, str]:
    return {
        "slipway.release": release.id,
        "slipway.commit": release.commit,
        "slipway.key": release.key,
        DIGEST: release.digest,
        "slipway.run": str(release.run_number),
        "slipway.settings": release.settings,
        **({PREVIOUS: previous} if previous else {}),
    }
