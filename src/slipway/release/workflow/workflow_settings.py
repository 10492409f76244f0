"""Whether a workflow has all the settings that it needs, and where to set them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.errors import ReleaseError

PLACE = "Settings → Secrets and variables → Actions, or: gh {kind} set {name}"
PLACE_OF_ENVIRONMENT = "Settings → Environments → {environment}, or: gh {kind} set {name} --env {environment}"


@dataclass(frozen=True)
class Need:
    """A setting of the repository on GitHub, or of one of its environments; a shared one is always the repository's."""

    name: str
    kind: str
    what: str
    form: str = ".+"
    environment: str = ""
    shared: bool = False


HOST = r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?"
PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
REGION = Need("AWS_REGION", "variable", "the region, e.g. eu-west-1", r"[a-z]{2}(-[a-z]+)+-[0-9]")
ECR = (
    Need(
        "AWS_ECR_LOGIN_URI",
        "variable",
        "the registry's host, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com, without https:// and without the repository",
        HOST,
    ),
    Need("ECR_REPOSITORY_NAME", "variable", "the image repository's name", rf"{PART}([._/-]+{PART})*"),
)
NEUTRAL = (
    Need(
        "SLIPWAY_REGISTRY",
        "variable",
        "the registry's host in lower case, without https:// and repository: NAME.azurecr.io, europe-west1-docker.pkg.dev",
        HOST,
    ),
    Need("SLIPWAY_REPOSITORY", "variable", "the image's name in the registry, in lower case, e.g. insurance", ECR[1].form),
)
IN_PROJECT = Need(
    "SLIPWAY_REPOSITORY", "variable", "PROJECT/REPOSITORY/NAME of the image in Artifact Registry", rf"({PART}/){{2,}}{PART}"
)
HOSTS = {"ecr": r"[0-9]{12}\.dkr[.-]ecr\..+", "azure": r"[a-z0-9-]+\.azurecr\.io", "google": r"[a-z0-9-]+-docker\.pkg\.dev"}
REMOTE = Need("SLIPWAY_REMOTE", "variable", "where bundles are stored, s3://bucket/prefix", r"s3://\S+")
IN_GIT = "Without a store, commit the bundle: slipway promote DIGEST --in-git"
KEYS = (
    Need("AWS_ACCESS_KEY_ID", "secret", "the access key, unless AWS_ROLE_ARN names a role"),
    Need("AWS_SECRET_ACCESS_KEY", "secret", "its secret, unless AWS_ROLE_ARN names a role"),
)
TENANT = Need("AZURE_TENANT_ID", "variable", "its tenant", shared=True)
PROVIDER = Need(
    "GCP_WORKLOAD_IDENTITY_PROVIDER", "variable", "the provider that trusts GitHub, projects/…/providers/…", shared=True
)
LOGINS = {
    "azure": (
        Need("AZURE_CLIENT_ID", "variable", "the client id of the identity that pushes", environment="release"),
        TENANT,
        Need("AZURE_SUBSCRIPTION_ID", "variable", "the subscription of the registry"),
    ),
    "google": (
        PROVIDER,
        Need("GCP_SERVICE_ACCOUNT", "variable", "the service account that pushes", environment="release"),
    ),
    "password": (
        Need("REGISTRY_USERNAME", "secret", "the user of docker login", environment="release"),
        Need("REGISTRY_PASSWORD", "secret", "the password of docker login", environment="release"),
    ),
}


@dataclass(frozen=True)
class ImageRegistry:
    """Where images are pushed.

    Parameters
    ----------
    host, name : str
        Of the registry, and of the image there; empty where they are not set.
    kind : str
        ``ecr``, ``azure``, ``google`` or ``other``; empty if nothing is set.
    needs : tuple
        The settings that name host and name.
    """

    host: str
    name: str
    kind: str
    needs: tuple[Need, Need]

    @property
    def service(self) -> str:
        """The name of the service in production: the last part of that of the image."""
        return self.name.rpartition("/")[2]


def registry_of(environ: Mapping[str, str]) -> ImageRegistry:
    """The registry that the settings name: SLIPWAY_REGISTRY and SLIPWAY_REPOSITORY take the place of those of ECR."""
    neutral, host = environ.get(NEUTRAL[0].name, ""), environ.get(ECR[0].name, "")
    name = environ.get(NEUTRAL[1].name) or environ.get(ECR[1].name, "")
    if not neutral:
        named = NEUTRAL[1] if environ.get(NEUTRAL[1].name) else ECR[1]
        return ImageRegistry(host, name, "ecr" if host or name else "", (ECR[0], named))
    kind = next((kind for kind, form in HOSTS.items() if re.fullmatch(form, neutral)), "other")
    return ImageRegistry(neutral, name, kind, (NEUTRAL[0], IN_PROJECT if kind == "google" else NEUTRAL[1]))


def problems_of_registry(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the settings that name the registry."""
    registry = registry_of(environ)
    values = zip(registry.needs, (registry.host, registry.name), strict=True)
    return [problem for need, value in values if (problem := problem_of(need, value))]


def login_of(environ: Mapping[str, str]) -> str:
    """How a job logs in at the registry to push: ``aws``, ``azure``, ``google`` or ``password``.

    An identity without a password comes first, then the user and password of the registry, then what else there is.
    """
    kind = registry_of(environ).kind or "ecr"
    if kind == "ecr":
        return "aws"
    if kind in LOGINS and environ.get(LOGINS[kind][0].name):
        return kind
    if kind == "other" or any(environ.get(need.name) for need in LOGINS["password"]):
        return "password"
    return kind


def require_settings(environ: Mapping[str, str], bundle_in_git: bool) -> list[str]:
    """Check the settings of the job that delivers.

    Parameters
    ----------
    environ : mapping
        Of the job.
    bundle_in_git : bool
        Whether the champion's bundle is committed: then no remote is needed.

    Returns
    -------
    list of str
        For GITHUB_OUTPUT: registry, repository and login.

    Raises
    ------
    ReleaseError
        Names every setting that is missing or malformed, and where to set it.
    """
    registry, login = registry_of(environ), login_of(environ)
    remote = bool(environ.get(REMOTE.name)) or not bundle_in_git
    region = [problem_of(REGION, environ.get(REGION.name, ""))] if login == "aws" or remote else []
    problems = region + problems_of_registry(environ)
    problems += [problem_of(REMOTE, environ.get(REMOTE.name, ""))] if remote else []
    needs = _keys(environ) if login == "aws" or remote else []
    if login != "aws" and not (login == "azure" and only_credentials(environ)):
        needs += LOGINS[login]
    problems += [problem_of(need, environ.get(need.name, "")) for need in needs]
    if any(problems):
        cure = IN_GIT if remote and not environ.get(REMOTE.name) else ""
        raise ReleaseError("\n".join(problem for problem in problems if problem), cure)
    return [f"registry={registry.host}", f"repository={registry.name}", f"login={login}"]


def only_credentials(environ: Mapping[str, str]) -> bool:
    """Whether a job logs in at Azure with AZURE_CREDENTIALS: azure/login ignores it where it has a client id."""
    return bool(environ.get("AZURE_CREDENTIALS")) and not environ.get(LOGINS["azure"][0].name)


def require_store(environ: Mapping[str, str]) -> None:
    """As `require_settings`, of a job that uses the remote store and no registry."""
    needs = [REGION, REMOTE, *_keys(environ)]
    problems = [problem for need in needs if (problem := problem_of(need, environ.get(need.name, "")))]
    if problems:
        raise ReleaseError("\n".join(problems))


def _keys(environ: Mapping[str, str]) -> list[Need]:
    return [] if environ.get("AWS_ROLE_ARN") else list(KEYS)


def problem_of(need: Need, value: str, environment: str = "") -> str:
    """What is wrong with the value of a setting, and where to set it: in an environment on GitHub if one is named."""
    environment = "" if need.shared else environment or need.environment
    form = PLACE_OF_ENVIRONMENT if environment else PLACE
    place = form.format(kind=need.kind, name=need.name, environment=environment)
    if not value:
        return f"{need.name} is not set: {need.what}. {place}"
    if not re.fullmatch(need.form, value):
        shown = "" if need.kind == "secret" else f" ({value!r})"
        return f"{need.name} is malformed{shown}: expected {need.what}. {place}"
    return ""
