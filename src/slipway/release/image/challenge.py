"""What a registry asks for before it answers: the login itself, or a token that another address gives for it."""

import re
from collections.abc import Sequence
from email.message import Message
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from slipway.errors import ReleaseError
from slipway.model.document import parse
from slipway.release.image.registry_login import Login

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECONDS = 30
CLIENT = "slipway"
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
LOG_IN = (
    "Run docker login first, as a user with permission to pull. Some registries answer so where there is no such repository: "
    "create it"
)


def ask(request: Request) -> tuple[int, Message, bytes]:
    """Status, headers and body of an answer, of a failure without the body; ReleaseError if nothing answers."""
    try:
        with urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            if error.url != request.full_url:  # whoever a redirect led to may not ask for the login
                del error.headers["WWW-Authenticate"]
            return error.code, error.headers, b""
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ReleaseError(f"{request.host}: cannot be reached ({reason})", "Check the name of the registry's host") from error


def authorization(registry: str, challenges: Sequence[str], login: Login, scope: str) -> str:
    """The header Authorization that a registry asked for; empty if there is none to give.

    Parameters
    ----------
    registry : str
        Its host, for messages.
    challenges : sequence of str
        Its headers WWW-Authenticate.
    login : Login
    scope : str
        What a token is asked for, ``repository:NAME:pull``. As in Docker, whatever scope the challenge names: some registries
        name none, or one to read for every request.

    Raises
    ------
    ReleaseError
        If no token is given for the login, or the address that gives it is not to be trusted with one.
    """
    bearer = next((each for each in challenges if each.lower().startswith("bearer ")), None)
    if bearer is not None:
        return f"Bearer {_token(registry, dict(PARAMETER.findall(bearer)), login, scope)}"
    return f"Basic {login.basic}" if login.basic else ""


def is_local(host: str) -> bool:
    """Whether a host, with an optional port, is this machine: as in Docker, it is used without TLS."""
    return urlsplit(f"//{host}").hostname in LOOPBACK


def _token(registry: str, asked: dict[str, str], login: Login, scope: str) -> str:
    """As the token authentication of the distribution specification has it, and its OAuth2 form for an identity token."""
    realm = asked.get("realm", "")
    parts = urlsplit(realm)
    if not (parts.scheme == "https" or parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ReleaseError(f"{registry}: wants the login at {realm!r}, which is not https", "Check the name of the registry")
    pairs = [("service", asked.get("service", "")), ("scope", scope)]
    if login.identity:
        form = [*pairs, ("client_id", CLIENT), ("grant_type", "refresh_token"), ("refresh_token", login.identity)]
        request = Request(realm, urlencode(form).encode(), method="POST")
    else:
        request = Request(f"{realm}{'&' if parts.query else '?'}{urlencode(pairs)}")
        if login.basic:
            request.add_unredirected_header("Authorization", f"Basic {login.basic}")
    status, _, content = ask(request)
    if status != 200:
        cure = LOG_IN if status in (400, 401, 403) else "Try again later"
        raise ReleaseError(f"{registry}: {parts.netloc} gave no token for the login (status {status})", cure)
    try:
        granted = parse(content)
        return str(granted.get("token") or granted["access_token"])
    except (ValueError, AttributeError, KeyError) as error:
        raise ReleaseError(f"{registry}: {parts.netloc} sent no token") from error
