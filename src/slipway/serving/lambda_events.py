"""Events of AWS Lambda, of payload format 2.0, as function URLs and HTTP APIs send them, and what WSGI makes of them.

The format: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication, WSGIEnvironment

import msgspec

from slipway.errors import ServingError
from slipway.serving.refusal import MEDIA_TYPE, problem_document

MOST_BYTES = 6 << 20  # of an answer, as JSON
TOO_LARGE = "The answer is larger than Lambda delivers, 6 MB. Send fewer rows."
Headers = list[tuple[str, str]]


def answer_event(application: WSGIApplication, content: bytes, call: str) -> bytes:
    """The answer of an application to an event.

    Raises
    ------
    ServingError
        When the event is none of payload format 2.0.
    """
    try:
        environ = environ_of(msgspec.json.decode(content), call)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        says = "the event is not of payload format 2.0, as a function URL or an HTTP API sends it"
        raise ServingError(says, "Call the function through its URL") from error
    answer = msgspec.json.encode(_document(*_asked(application, environ)))
    if len(answer) <= MOST_BYTES:
        return answer
    problem = msgspec.json.encode(problem_document(413, TOO_LARGE))
    return msgspec.json.encode(_document("413", [("Content-Type", MEDIA_TYPE)], problem))


def _asked(application: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
    """Status, headers and body of an application's answer."""
    started: list[tuple[str, Headers]] = []

    def start(status: str, headers: Headers, failure: Any = None, /) -> Any:
        started.append((status, headers))

    answer = application(environ, start)
    try:
        body = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return *started[-1], body


def environ_of(event: dict[str, Any], call: str) -> WSGIEnvironment:
    """The call as WSGI has it; without an id of its own it has that of Lambda."""
    http = event["requestContext"]["http"]
    text = event.get("body") or ""
    body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    given = {name: value for name, value in event["headers"].items() if "_" not in name}  # nor does gunicorn take those
    headers = {name.upper().replace("-", "_"): value.encode().decode("latin-1") for name, value in given.items()}
    fields = {f"HTTP_{name}": value for name, value in headers.items() if name not in ("CONTENT_TYPE", "CONTENT_LENGTH")}
    return {
        "HTTP_X_REQUEST_ID": call,
        **fields,
        "REQUEST_METHOD": http["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(event["rawPath"]).decode("latin-1"),
        "QUERY_STRING": event.get("rawQueryString") or "",
        "CONTENT_TYPE": headers.get("CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "lambda",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": http.get("sourceIp", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _document(status: str, headers: Headers, body: bytes) -> dict[str, Any]:
    try:
        text, is_encoded = body.decode(), False
    except UnicodeDecodeError:
        text, is_encoded = base64.b64encode(body).decode(), True
    named = {name: value for name, value in headers if name.lower() != "content-length"}
    return {"statusCode": int(status.split()[0]), "headers": named, "body": text, "isBase64Encoded": is_encoded}
