"""Whether a workflow has all the settings that it needs, and where to set them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.errors import ReleaseError

PLACE = "Settings → Secrets and variables → Actions, or: gh {kind} set {name}"
PLACE_OF_ENVIRONMENT = "Settings → Environments → {environment}, or: gh {kind} set {name} --env {environment}"


@dataclass(frozen=True)
class Need:
    """A setting of the repository on GitHub."""

    name: str
    kind: str
    what: str
    form: str = ".+"


REGION = Need("AWS_REGION", "variable", "the region, e.g. eu-west-1", r"[a-z]{2}(-[a-z]+)+-[0-9]")
REGISTRY = Need(
    "AWS_ECR_LOGIN_URI",
    "variable",
    "the registry's host, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com, without https:// and without the repository",
    r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?",
)
NAME = Need("ECR_REPOSITORY_NAME", "variable", "the image repository's name", r"[a-z0-9]+([._/-]+[a-z0-9]+)*")
REMOTE = Need("SLIPWAY_REMOTE", "variable", "where bundles are stored, s3://bucket/prefix", r"s3://\S+")
KEYS = (
    Need("AWS_ACCESS_KEY_ID", "secret", "the access key, unless AWS_ROLE_ARN names a role"),
    Need("AWS_SECRET_ACCESS_KEY", "secret", "its secret, unless AWS_ROLE_ARN names a role"),
)


def require_settings(environ: Mapping[str, str], bundle_in_git: bool, store_only: bool = False) -> None:
    """Check the settings of a job.

    Parameters
    ----------
    environ : mapping
        Of the job.
    bundle_in_git : bool
        Whether the champion's bundle is committed: then no remote is needed.
    store_only : bool
        Whether only the remote is used, and no registry.

    Raises
    ------
    ReleaseError
        Names every setting that is missing or malformed, and where to set it.
    """
    needs = [REGION] if store_only else [REGION, REGISTRY, NAME]
    needs += [] if bundle_in_git and not store_only else [REMOTE]
    needs += [] if environ.get("AWS_ROLE_ARN") else KEYS
    problems = [problem for need in needs if (problem := problem_of(need, environ.get(need.name, "")))]
    if problems:
        raise ReleaseError("\n".join(problems))


def problem_of(need: Need, value: str, environment: str = "") -> str:
    """What is wrong with the value of a setting, and where to set it: in an environment on GitHub if one is named."""
    form = PLACE_OF_ENVIRONMENT if environment else PLACE
    place = form.format(kind=need.kind, name=need.name, environment=environment)
    if not value:
        return f"{need.name} is not set: {need.what}. {place}"
    if not re.fullmatch(need.form, value):
        shown = "" if need.kind == "secret" else f" ({value!r})"
        return f"{need.name} is malformed{shown}: expected {need.what}. {place}"
    return ""
