"""The path in front of the service, from a setting alone: a header may come from any client."""

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from slipway.errors import ServingError

VARIABLE = "SLIPWAY_URL_PREFIX"
SHAPE = re.compile(r"(/[\w.~-]+)+", re.ASCII)


def install(app: Flask, prefix: str) -> None:
    """Put `prefix` in front of every link; requests may have it in their path or not.

    Raises
    ------
    ServingError
        When it is not a path, or begins like an address of the service: nobody could tell whether to remove it.
    """
    prefix = prefix.rstrip("/")
    if not prefix:
        return
    if not SHAPE.fullmatch(prefix):
        raise ServingError(f"{VARIABLE}: {prefix!r} is not a path", "Write it like /models/charges")
    first = prefix.split("/")[1]
    if first in {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}:
        raise ServingError(
            f"{VARIABLE}: the service uses addresses below /{first} itself", f"Choose another prefix, e.g. /models{prefix}"
        )
    app.wsgi_app = _Prefixed(app.wsgi_app, prefix)  # type: ignore[method-assign]  # as Flask documents


class _Prefixed:
    """Tells Flask the prefix, whether the proxy removed it from the path or passed it on."""

    def __init__(self, application: WSGIApplication, prefix: str) -> None:
        self._application = application
        self._prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if f"{path}/".startswith(f"{self._prefix}/"):
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
        environ["SCRIPT_NAME"] = self._prefix
        return self._application(environ, start_response)
