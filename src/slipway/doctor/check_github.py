"""GitHub: is the repository public although a workflow uses a self-hosted runner?"""

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding

HOST = "github.com"
API = "https://api.github.com"
SECONDS = 10
ORIGIN = re.compile(r"(?:[a-z+]+://(?:[^/@]*@)?|[^/@]*@)?(?P<host>[^/:@]+)(?::\d+)?[/:](?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?")
LABELS = ("self-hosted", "slipway")
BOX = "contains(inputs.roads, 'box')"  # of the job that deploys to the box
WHY = (
    "anybody can open a pull request from a fork whose workflow names the runner's labels; that workflow then runs "
    "on the box, with its network and its right to release"
)
CURE = "Make the repository private (Settings, General), or remove the runner (Settings, Actions) and release to Heroku"


@dataclass(frozen=True)
class Repository:
    """What GitHub reports about a repository.

    Parameters
    ----------
    name : str
        ``owner/name``.
    public : bool or None
        None if unknown; `reason` says why.
    runners : int
        Number of registered machines, if the token has permission to see them.
    """

    name: str
    public: bool | None
    reason: str = ""
    runners: int = 0


def name_of(origin: str | None, environ: Mapping[str, str]) -> str | None:
    """``owner/name`` from the address of a git remote; None when it is not on GitHub.

    With ``GITHUB_API_URL`` any host is taken for the GitHub that this is the API of.
    """
    found = ORIGIN.fullmatch((origin or "").strip())
    if not found or not environ.get("GITHUB_API_URL") and found["host"].lower() != HOST:
        return None
    return found["name"]


def look(name: str, environ: Mapping[str, str]) -> Repository:
    """Ask GitHub about a repository; with GITHUB_TOKEN or GH_TOKEN also about its runners."""
    try:
        document = _get(f"/repos/{name}", environ)
        public = not document["private"]
        runners = 0
        if public and _token(environ):
            with suppress(HTTPError):  # only an administrator may ask
                runners = int(_get(f"/repos/{name}/actions/runners", environ)["total_count"])
        return Repository(name, public, runners=runners)
    except HTTPError as error:
        if error.code == 404:
            return Repository(name, False)
        return Repository(
            name,
            None,
            {401: "the token is refused", 403: "too many requests, or no permission"}.get(
                error.code, f"it answers {error.code}"
            ),
        )
    except (OSError, HTTPException) as error:
        return Repository(name, None, f"cannot be reached ({type(getattr(error, 'reason', error)).__name__})")
    except (ValueError, KeyError, TypeError):
        return Repository(name, None, "its answer is invalid")


def _get(path: str, environ: Mapping[str, str]) -> Any:
    request = Request((environ.get("GITHUB_API_URL") or API).rstrip("/") + path)
    request.add_header("Accept", "application/vnd.github+json")
    if _token(environ):
        request.add_unredirected_header("Authorization", f"Bearer {_token(environ)}")  # not for whom it leads on to
    with urlopen(request, timeout=SECONDS) as answer:
        return json.loads(answer.read())


def _token(environ: Mapping[str, str]) -> str:
    return environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""


def on_own_machine(workflows: Mapping[str, str], roads: Collection[str]) -> list[str]:
    """Names of the workflows with a job for a self-hosted runner, which waits for one on the `roads` of releases."""
    return [name for name, text in workflows.items() if _asks(text, roads)]


def _asks(text: str, roads: Collection[str]) -> bool:
    try:
        jobs = [job for job in yaml.safe_load(text)["jobs"].values() if "box" in roads or BOX not in str(job.get("if"))]
        wanted = [json.dumps(job.get("runs-on", ""), default=str) for job in jobs]
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):  # GitHub would not run it; the next edit may change that
        wanted = [text]
    return any(label in each for each in wanted for label in LABELS)


def check(repository: Repository | None, workflows: list[str], origin: str | None) -> list[Finding]:
    """Judge what GitHub says; `workflows` are those with a job for a self-hosted runner, `origin` is the remote's address."""
    if not origin:
        cure = "Make a private repository on GitHub, then: git remote add origin ADDRESS"
        return [Finding("origin", MISSING, "git has no remote of this name", cure)]
    if repository is None:
        return [Finding("visibility", SKIPPED, f"origin is not a repository on {HOST}")]
    if repository.public is None:
        return [Finding("visibility", SKIPPED, f"GitHub: {repository.reason}", "Check that the repository is private")]
    if not repository.public:
        return [Finding("visibility", OK, f"{repository.name} is private, or does not exist yet")]
    if not workflows and not repository.runners:
        return [Finding("visibility", OK, f"{repository.name} is public, and no workflow here uses a self-hosted runner")]
    has = f"{', '.join(workflows)} uses one" if workflows else f"{repository.runners} registered"
    return [Finding("visibility", FAILED, f"{repository.name} is public and has a self-hosted runner ({has}): {WHY}", CURE)]
