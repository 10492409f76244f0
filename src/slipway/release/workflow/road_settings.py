"""Where a release goes: the roads that SLIPWAY_ROAD and SLIPWAY_STAGING name, and what a deployment to each needs."""

import re
from collections.abc import Mapping

from slipway.errors import ReleaseError
from slipway.release.image.key import PLATFORMS
from slipway.release.workflow.workflow_settings import NAME, REGION, REGISTRY, Need, problem_of

ROADS = ("box", "fargate", "kubernetes")
VARIABLES = ("SLIPWAY_ROAD", "SLIPWAY_STAGING")
NAMES = {  # road → what the name of a service is there, its form, and the most characters
    "fargate": ("a service of ECS", r"[A-Za-z][A-Za-z0-9_-]*", 255),
    "kubernetes": ("a namespace of Kubernetes", r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", 63),
}
ROLE = Need(
    "AWS_DEPLOY_ROLE_ARN", "variable", "the role of the deployment, arn:aws:iam::…:role/…", r"arn:[a-z-]+:iam::\d{12}:role/\S+"
)
OVERLAY = Need(
    "SLIPWAY_OVERLAY",
    "variable",
    "a folder in deploy/kubernetes whose name begins with eks, gke or aks",
    r"(eks|gke|aks)[a-z0-9-]*",
)
CLUSTER = Need("SLIPWAY_CLUSTER", "variable", "the name of the cluster")
LOGINS = {
    "eks": (ROLE,),
    "gke": (
        Need("GCP_WORKLOAD_IDENTITY_PROVIDER", "variable", "the provider that trusts GitHub, projects/…/providers/…"),
        Need("GCP_SERVICE_ACCOUNT", "variable", "the service account of the deployment"),
        Need("GCP_LOCATION", "variable", "the region or zone of the cluster"),
    ),
    "aks": (
        Need("AZURE_CLIENT_ID", "variable", "the client id of the application of the deployment"),
        Need("AZURE_TENANT_ID", "variable", "its tenant"),
        Need("AZURE_SUBSCRIPTION_ID", "variable", "the subscription of the cluster"),
        Need("AZURE_RESOURCE_GROUP", "variable", "the resource group of the cluster"),
    ),
}


def roads(environ: Mapping[str, str]) -> list[str]:
    """The roads that the variables name, in the order of `ROADS`; the box where none is named."""
    named = {word for name in VARIABLES for word in environ.get(name, "").split()}
    return [road for road in ROADS if road in named or (road == "box" and not environ.get("SLIPWAY_ROAD"))]


def unknown_roads(environ: Mapping[str, str]) -> dict[str, str]:
    """Variable → what is wrong with its words, for each that cannot be followed."""
    found = {}
    for name in VARIABLES:
        value = environ.get(name, "")
        words = value.split()
        if value and not words or set(words) - set(ROADS):
            found[name] = f"is {value!r}: expected {', '.join(ROADS)}, or several of them with blanks in between"
    return found


def require_roads(environ: Mapping[str, str]) -> None:
    """ReleaseError that names each variable of the repository with a road or a platform that does not exist.

    The name of the service is checked where it is known.
    """
    problems = [f"{name} {says}. Set it: gh variable set {name}" for name, says in unknown_roads(environ).items()]
    platform = environ.get("SLIPWAY_PLATFORM", "")
    if platform and platform not in PLATFORMS:
        says = f"SLIPWAY_PLATFORM is {platform!r}: expected {' or '.join(PLATFORMS)}"
        problems.append(f"{says}. Set it: gh variable set SLIPWAY_PLATFORM")
    stages = {"": "SLIPWAY_ROAD", "-staging": "SLIPWAY_STAGING"}
    for suffix, variable in stages.items():
        for road in NAMES:
            if road in environ.get(variable, "").split():
                problems += [unfit for unfit in [_unfit_name(environ, road, suffix)] if unfit and unfit not in problems]
    if problems:
        raise ReleaseError("\n".join(problems))


def _unfit_name(environ: Mapping[str, str], road: str, suffix: str) -> str:
    """What is wrong with the name of the service on a road; empty if nothing, or if it is not known here."""
    name = environ.get(NAME.name, "")
    what, form, most = NAMES[road]
    if not name or (re.fullmatch(form, name) and len(name + suffix) <= most):
        return ""
    whose = "the service of staging" if suffix else "the service"
    return (
        f"{NAME.name} is {name!r}, but {whose} is called {name + suffix!r}, and that is no name of {what} "
        f"({form}, at most {most} characters). Rename the repository of the images, then: gh variable set {NAME.name}"
    )


def require_road(environ: Mapping[str, str], road: str, stage: str) -> None:
    """Check the settings of the job that deploys to a road.

    Parameters
    ----------
    environ : mapping
        Of the job.
    road : str
        ``fargate`` or ``kubernetes``.
    stage : str
        ``staging`` or ``production``: which environment on GitHub has the variables of the road.

    Raises
    ------
    ReleaseError
        Names every setting that is missing or malformed, with the command that sets it.
    """
    environment = f"{road}-staging" if stage == "staging" else road
    needs = [(need, "") for need in (REGION, REGISTRY, NAME)] + [(need, environment) for need in needs_of(environ, road)]
    problems = [problem for need, place in needs if (problem := problem_of(need, environ.get(need.name, ""), place))]
    unfit = _unfit_name(environ, road, "-staging" if stage == "staging" else "")
    problems += [unfit] if unfit else []
    if problems:
        raise ReleaseError("\n".join(problems), "Set them as variables: a deployment gets no secret")


def needs_of(environ: Mapping[str, str], road: str) -> tuple[Need, ...]:
    """What the environment on GitHub of a road beyond the box has to hold."""
    if road == "fargate":
        return (ROLE,)
    provider = re.match("eks|gke|aks", environ.get("SLIPWAY_OVERLAY", ""))
    return (OVERLAY, CLUSTER, *(LOGINS[provider[0]] if provider else ()))
