"""Credentials: which AWS identity is in use, and are the names of the registry well-formed?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import urlopen

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.release.image.challenge import is_local
from slipway.release.workflow.workflow_settings import registry_of

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?")
REPOSITORY = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*")
SECONDS = 5
WHERE = "On GitHub under Settings → Secrets and variables → Actions; here with export"


@dataclass(frozen=True)
class Identity:
    """Our identity at AWS (an ARN), or why it is unknown: `state` is that of the finding."""

    state: str
    says: str
    cure: str = ""


def identity(environ: Mapping[str, str]) -> Identity:
    """Ask AWS for our identity; its messages are not shown, because they may contain secrets."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            EndpointConnectionError,
            HTTPClientError,
            NoCredentialsError,
        )
    except ImportError as error:
        return Identity(SKIPPED, f"{error.name} is not installed", "pip install -r requirements-release.txt")
    config = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1})
    try:
        client = boto3.Session().client("sts", region_name=environ.get("AWS_REGION") or "us-east-1", config=config)
        return Identity(OK, client.get_caller_identity()["Arn"])
    except NoCredentialsError:
        cure = "Set AWS_ROLE_ARN (keyless), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; not needed with --in-git"
        return Identity(MISSING, "no credentials found", cure)
    except ClientError as error:
        return Identity(FAILED, f"AWS refuses them: {error.response['Error']['Code']}", "Create new keys, or fix them")
    except (EndpointConnectionError, HTTPClientError) as error:
        return Identity(SKIPPED, f"AWS cannot be reached ({type(error).__name__})", "Check the network and AWS_ENDPOINT_URL")
    except (BotoCoreError, ValueError) as error:
        return Identity(FAILED, f"cannot be used: {type(error).__name__}", "Check the variables AWS_… and ~/.aws")


def answers(registry: str) -> str:
    """What is wrong with a registry's answer; empty if it asks for a login, or grants access."""
    scheme = "http" if is_local(registry) else "https"
    try:
        with urlopen(f"{scheme}://{registry}/v2/", timeout=SECONDS):
            return ""
    except HTTPError as error:
        return "" if error.code == 401 else f"it answers {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return f"it cannot be reached ({type(getattr(error, 'reason', error)).__name__})"


def check(who: Identity, environ: Mapping[str, str], unanswered: str, elsewhere: bool = False) -> list[Finding]:
    """Judge them; `unanswered` is what `answers` said of a registry whose name is well-formed.

    Beyond ECR, AWS is asked for nothing but a store. A repository `elsewhere` than on GitHub has a CI system that keeps its
    settings itself: none is missing here.
    """
    named = registry_of(environ)
    if elsewhere and not named.kind and not environ.get("SLIPWAY_REMOTE"):
        says = "no setting is exported here, and origin is not on GitHub: the CI system there has its own"
        return [Finding("registry", SKIPPED, says, "Slipway's docs/other-clouds.md")]
    found = [
        registry(environ, unanswered),
        _named(named.needs[1].name, environ, REPOSITORY, "only the repository's name, e.g. insurance"),
    ]
    if named.kind not in ("", "ecr") and not environ.get("SLIPWAY_REMOTE"):
        return found
    aws = Finding("AWS", who.state, who.says, who.cure)
    return [aws, _named("AWS_REGION", environ, REGION, "e.g. eu-west-1"), *found]


def well_formed(registry: str) -> bool:
    """Whether a name can be that of a registry: a host, and nothing around it."""
    return HOST.fullmatch(registry) is not None


def registry(environ: Mapping[str, str], unanswered: str) -> Finding:
    """Whether the setting of the registry is a host, and it answers."""
    found = _named(registry_of(environ).needs[0].name, environ, HOST, "a host without https:// and without a path")
    if found.state == OK and unanswered:
        return Finding(found.what, FAILED, f"is well-formed, but {unanswered}", "Check the name in it")
    return found


def _named(name: str, environ: Mapping[str, str], form: re.Pattern[str], expected: str) -> Finding:
    value = environ.get(name)
    if not value:
        return Finding(name, MISSING, f"is not set: expected {expected}", WHERE)
    if not form.fullmatch(value):  # the value may be a secret in the wrong place: it is not shown
        return Finding(name, FAILED, f"is malformed: expected {expected}", WHERE)
    return Finding(name, OK, "is well-formed")
