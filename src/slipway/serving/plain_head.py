"""The head of a plain request, read in one go: gunicorn's own parser and environment take five times as long.

A head is plain when nothing in it needs a rule to be understood: a usual method and path, names and values in ASCII,
nothing twice, and a length if there is a body. What is not plain, or not valid, is left to gunicorn; so this accepts
nothing that gunicorn refuses, and reads nothing differently.
"""

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gunicorn.config import Config
from gunicorn.http.message import HeaderPolicy
from gunicorn.http.wsgi import base_environ

LONGEST = 4000  # bytes, with the empty line
PLAIN = re.compile(
    rb"(?P<method>GET|HEAD|POST) (?P<uri>(?P<path>/(?:[\w.~-][\w.~/-]*)?)(?:\?(?P<query>[!\"$-~]*))?) HTTP/1\.1\r\n"
    rb"(?P<fields>(?:[A-Za-z0-9-]+:[\t -~]*\r\n)*)\r\n"
)
LENGTH = re.compile(r"[0-9]{1,15}")
NEEDS_RULES = {"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE"}


@dataclass(slots=True)
class PlainRequest:
    """What gunicorn's Request says of itself, as far as its Response and the worker ask.

    Attributes
    ----------
    size : int
        Bytes of the head.
    length : int
        Bytes of the body.
    fields : dict of str to str
        The header as WSGI names it.
    """

    method: str
    uri: str
    path: str
    query: str
    scheme: str
    size: int
    length: int
    fields: dict[str, str]
    version: tuple[int, int] = (1, 1)
    body: Any = None  # the connection has it; asked for when gunicorn answers for an application that failed

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The header as gunicorn names it."""
        return [(key.removeprefix("HTTP_").replace("_", "-"), value) for key, value in self.fields.items()]

    def should_close(self) -> bool:
        """Whether the client asks for no more."""
        return self.fields.get("HTTP_CONNECTION", "").lower() == "close"


class Heads:
    """Reads plain heads, as far as gunicorn's configuration allows any."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        limits = (cfg.limit_request_line, cfg.limit_request_field_size)
        self._longest = min([LONGEST, *(limit for limit in limits if limit > 0)])
        self._most_fields = cfg.limit_request_fields if cfg.limit_request_fields > 0 else LONGEST
        if cfg.is_ssl or cfg.proxy_protocol != "off" or os.environ.get("SCRIPT_NAME"):
            self._longest = 0
        self._scheme_fields = {_key(name) for name in cfg.secure_scheme_headers if _is_met(name)}
        self._base = base_environ(cfg) | {"SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1"}

    def read(self, received: bytearray, client: Any) -> PlainRequest | None:
        """The request whose head is at the start of `received`; None when it is not plain."""
        match = PLAIN.match(received, 0, self._longest)
        if match is None:
            return None
        method, uri, path, query, head = (part.decode("ascii") for part in match.groups(b""))
        lines = head.split("\r\n")
        fields = {}
        for line in lines[:-1]:
            name, _, value = line.partition(":")
            fields[_key(name)] = value.strip("\t ")
        if not len(fields) == len(lines) - 1 <= self._most_fields or not NEEDS_RULES.isdisjoint(fields):
            return None
        length = fields.get("CONTENT_LENGTH", "0")
        scheme = self._scheme(fields, client)
        if not LENGTH.fullmatch(length) or scheme is None:
            return None
        return PlainRequest(method, uri, path, query, scheme, match.end(), int(length), fields)

    def _scheme(self, fields: dict[str, str], client: Any) -> str | None:
        """As a trusted proxy says; None when it says it twice."""
        said = self._scheme_fields & fields.keys()
        if not said:
            return "http"
        if len(said) > 1:
            return None
        policy = HeaderPolicy()
        policy.cfg, policy.peer_addr = self.cfg, client
        trusted, _ = policy._peer_trusted_for_forwarded()
        secure = {_key(name): value for name, value in trusted.items() if _is_met(name)}
        key = said.pop()
        return "https" if key in secure and secure[key] == fields[key] else "http"

    def environ(self, request: PlainRequest, client: Any, server: Any) -> dict[str, Any]:
        """For the application, as gunicorn's `wsgi.create` makes it; without the body, and without early hints."""
        environ: dict[str, Any] = self._base | request.fields
        environ["REQUEST_METHOD"] = request.method
        environ["PATH_INFO"] = request.path
        environ["QUERY_STRING"] = request.query
        environ["RAW_URI"] = request.uri
        environ["wsgi.url_scheme"] = request.scheme
        if isinstance(client, tuple):
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
        else:
            environ["REMOTE_ADDR"] = client if isinstance(client, str) else client.decode()
        if isinstance(server, str):  # a unix socket has no port; the client's name for it has
            host = request.fields.get("HTTP_HOST")
            server = host.split(":") if host else [server, ""]
            if len(server) == 1:
                server.append("443" if request.scheme == "https" else "80")
        environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
        return environ


def _is_met(name: str) -> bool:
    """Whether gunicorn, which compares it with names in capitals, finds a field of this name in a plain head."""
    return name == name.upper() and "_" not in name


@lru_cache(256)
def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
