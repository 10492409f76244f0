"""Where a release goes: the roads that SLIPWAY_ROAD and SLIPWAY_STAGING name, and what a deployment to each needs."""

import re
from collections.abc import Mapping

from slipway.errors import ReleaseError
from slipway.release.image.key import PLATFORMS
from slipway.release.workflow.workflow_settings import (
    PROVIDER,
    REGION,
    TENANT,
    Need,
    only_credentials,
    problem_of,
    problems_of_registry,
    registry_of,
)

ROADS = ("box", "fargate", "kubernetes", "webapp", "cloudrun")
VARIABLES = ("SLIPWAY_ROAD", "SLIPWAY_STAGING")
NAMES = {  # road → what the name of a service is there, its form, and the most characters
    "fargate": ("a service of ECS", r"[A-Za-z][A-Za-z0-9_-]*", 255),
    "kubernetes": ("a namespace of Kubernetes", r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", 63),
    "cloudrun": ("a service of Cloud Run", r"[a-z]([a-z0-9-]*[a-z0-9])?", 42),  # 46 with the tag of a revision
}
PULLS = {  # road, or cloud of a cluster → the kind of registry that it pulls from with its own role
    "box": "ecr",
    "fargate": "ecr",
    "webapp": "azure",
    "cloudrun": "google",
    "eks": "ecr",
    "aks": "azure",
    "gke": "google",
}
ELSEWHERE = ("box", "kubernetes")  # they pull from any registry, with a login that you give them
KINDS = {"ecr": "Amazon ECR", "azure": "Azure Container Registry", "google": "Artifact Registry"}
AMD64 = ("cloudrun", "webapp")  # they have no other machines
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
GOOGLE = (PROVIDER, Need("GCP_SERVICE_ACCOUNT", "variable", "the service account of the deployment"))
AZURE = (
    Need("AZURE_CLIENT_ID", "variable", "the client id of the identity of the deployment"),
    TENANT,
    Need("AZURE_SUBSCRIPTION_ID", "variable", "the subscription of the cluster or the Web App", shared=True),
)
GROUP = Need("AZURE_RESOURCE_GROUP", "variable", "the resource group of the cluster or the Web App")
LOCATION = Need("GCP_LOCATION", "variable", "the region of the service, or the region or zone of the cluster")
WEBAPP = Need(
    "AZURE_WEBAPP_NAME",
    "variable",
    "the name of the Web App, 2 to 60 letters, digits and hyphens",
    r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
)
LOGINS = {"eks": (ROLE,), "gke": (*GOOGLE, LOCATION), "aks": (*AZURE, GROUP)}


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
    """ReleaseError that names each variable of the repository with a road, platform or registry that does not exist.

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
    problems += _unfit_roads(environ)
    registry = registry_of(environ)
    if registry.host and registry.name:  # what is missing is named with all else that the delivery misses
        problems += problems_of_registry(environ)
    if problems:
        raise ReleaseError("\n".join(problems))


def _unfit_roads(environ: Mapping[str, str]) -> list[str]:
    """Why roads that there are cannot be followed together, from the registry that is set, or with images for its platform."""
    named = roads(environ)
    wanted = {road: kind for road in named if (kind := _pulls(environ, road))}
    goes = "SLIPWAY_ROAD is not set, so a release goes to the box" if not environ.get("SLIPWAY_ROAD") else ""
    if len(set(wanted.values())) > 1:
        each = ", ".join(f"{road} pulls from {KINDS[kind]}" for road, kind in wanted.items())
        said = f"one release is pushed to one registry, but {each}. Name roads of one cloud in {' and '.join(VARIABLES)}"
        return [": ".join(part for part in (goes, said) if part)]
    found = [unfit for road in named if (unfit := _unfit_registry(environ, road))]
    found = [": ".join([goes, *found])] if goes and found else found
    amd64 = [road for road in named if road in AMD64]
    if amd64 and environ.get("SLIPWAY_PLATFORM") not in (None, "", PLATFORMS[0]):
        found.append(f"SLIPWAY_PLATFORM is {environ['SLIPWAY_PLATFORM']!r}, but {amd64[0]} runs {PLATFORMS[0]} only")
    return found


def _pulls(environ: Mapping[str, str], road: str) -> str:
    """The kind of registry that a road pulls from; empty where the cloud of the cluster is not known."""
    cloud = re.match("eks|gke|aks", environ.get(OVERLAY.name, ""))
    return PULLS.get(cloud[0] if road == "kubernetes" and cloud else road, "")


def _unfit_registry(environ: Mapping[str, str], road: str) -> str:
    """Why a road cannot pull from the registry; empty if it can, or if nothing is known of the registry."""
    registry, wanted = registry_of(environ), _pulls(environ, road)
    if not wanted or registry.kind in ("", wanted) or (registry.kind == "other" and road in ELSEWHERE):
        return ""
    kind = f", {KINDS[registry.kind]}" if registry.kind in KINDS else ""
    return (
        f"{road} pulls from {KINDS[wanted]}, but {registry.needs[0].name} is {registry.host!r}{kind}: "
        f"see Slipway's docs/release.md, Registries"
    )


def _unfit_name(environ: Mapping[str, str], road: str, suffix: str) -> str:
    """What is wrong with the name of the service on a road; empty if nothing, or if it is not known here."""
    registry = registry_of(environ)
    name, variable = registry.service, registry.needs[1].name
    what, form, most = NAMES[road]
    if not name or (re.fullmatch(form, name) and len(name + suffix) <= most):
        return ""
    whose = "the service of staging" if suffix else "the service"
    return (
        f"{variable} is {registry.name!r}, but {whose} is called {name + suffix!r}, and that is no name of {what} "
        f"({form}, at most {most} characters). Rename the repository of the images, then: gh variable set {variable}"
    )


def require_road(environ: Mapping[str, str], road: str, stage: str) -> None:
    """Check the settings of the job that deploys to a road.

    Parameters
    ----------
    environ : mapping
        Of the job.
    road : str
        One beyond the box.
    stage : str
        ``staging`` or ``production``: which environment on GitHub has the variables of the road.

    Raises
    ------
    ReleaseError
        Names every setting that is missing or malformed, with the command that sets it.
    """
    environment = f"{road}-staging" if stage == "staging" else road
    problems = [problem_of(REGION, environ.get(REGION.name, ""))] if _pulls(environ, road) == "ecr" else []
    problems += problems_of_registry(environ)
    problems += [problem_of(need, environ.get(need.name, ""), environment) for need in needs_of(environ, road)]
    problems.append(_unfit_name(environ, road, "-staging" if stage == "staging" else "") if road in NAMES else "")
    problems.append(_unfit_registry(environ, road))
    if any(problems):
        cure = "Set them as variables" + ("" if road == "webapp" else ": a deployment gets no secret")
        raise ReleaseError("\n".join(problem for problem in problems if problem), cure)


def needs_of(environ: Mapping[str, str], road: str) -> tuple[Need, ...]:
    """What the environment on GitHub of a road beyond the box has to hold."""
    match road:
        case "fargate":
            return (ROLE,)
        case "webapp":
            return (*(() if only_credentials(environ) else AZURE), GROUP, WEBAPP)
        case "cloudrun":
            return (*GOOGLE, LOCATION)
    provider = re.match("eks|gke|aks", environ.get(OVERLAY.name, ""))
    return (OVERLAY, CLUSTER, *(LOGINS[provider[0]] if provider else ()))
