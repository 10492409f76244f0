"""What AWS Lambda starts, ``docker run IMAGE lambda``: calls of function URLs and HTTP APIs, answered by the application.

The Runtime API is four calls of HTTP: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
"""

import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage
from importlib import import_module
from typing import Any
from wsgiref.types import WSGIApplication

import msgspec

from slipway.errors import ServingError, SlipwayError
from slipway.serving.access import log_failure
from slipway.serving.lambda_events import answer_event
from slipway.threads import pin_threads

VARIABLE = "AWS_LAMBDA_RUNTIME_API"
BASE = "/2018-06-01/runtime"
REQUEST_ID = "Lambda-Runtime-Aws-Request-Id"


class Runtime:
    """Lambda's side, which has the calls; a connection each, for it may stand still for hours in between.

    Parameters
    ----------
    address : str
        HOST:PORT.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def next(self) -> tuple[str, bytes]:
        """Wait for a call: its id and its event."""
        headers, content = self._ask("GET", "/invocation/next")
        return headers[REQUEST_ID], content

    def respond(self, call: str, answer: bytes) -> None:
        self._ask("POST", f"/invocation/{call}/response", answer)

    def fail(self, error: Exception, call: str | None = None) -> None:
        """Say that a call cannot be answered; without one, that none can."""
        says = str(error) if isinstance(error, SlipwayError) else "See the log."  # another message may quote a row
        document = {"errorType": type(error).__name__, "errorMessage": says, "stackTrace": []}
        self._ask("POST", f"/invocation/{call}/error" if call else "/init/error", msgspec.json.encode(document))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[HTTPMessage, bytes]:
        connection = HTTPConnection(self._address)
        try:
            connection.request(method, BASE + path, body)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise ServingError(f"Lambda's Runtime API, {self._address}, does not answer ({error!r})") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise ServingError(f"Lambda's Runtime API answered {answer.status} to {method} {path}")
        return answer.headers, content


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Answer calls as long as Lambda has some; the exit code."""
    try:
        if not environ.get(VARIABLE):
            raise ServingError(f"{VARIABLE} is not set", "AWS Lambda sets it; docker run IMAGE starts the service")
        runtime = Runtime(environ[VARIABLE])
        application = _load(runtime)
        while True:
            answer_next(runtime, application)
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        return error.exit_code


def _load(runtime: Runtime) -> WSGIApplication:
    """The application of app.py, ready to answer; if it cannot be, Lambda is told."""
    pin_threads()
    try:
        application: Any = import_module("app").app
        service = getattr(application, "extensions", {}).get("slipway")
        if service is not None:
            service.require_ready()
    except Exception as error:
        runtime.fail(error)
        raise
    loaded: WSGIApplication = application
    return loaded


def answer_next(runtime: Runtime, application: WSGIApplication) -> None:
    """Wait for a call, and answer it."""
    call, event = runtime.next()
    try:
        answer = answer_event(application, event, call)
    except Exception as error:
        log_failure(error, call)
        runtime.fail(error, call)
    else:
        runtime.respond(call, answer)


if __name__ == "__main__":
    sys.exit(main())
