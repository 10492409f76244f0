"""Reads the body of a request: the right type, limited in size, and complete."""

from collections.abc import Iterator
from typing import IO

from flask import request

from slipway.serving.refusal import Refusal

PIECE = 1 << 16


def require_type(*expected: str) -> None:
    """Refuse a body of another media type, charset or encoding."""
    if request.content_type == expected[0] and "Content-Encoding" not in request.headers:
        return  # nearly always; the checks below take longer
    named = " or ".join(expected)
    if request.mimetype not in expected:
        raise Refusal(415, f"Expected the header Content-Type: {named}.")
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Refusal(415, f"Expected {named} in UTF-8.")
    require_plain()


def require_plain() -> None:
    """Refuse a body that is compressed."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(415, "Expected a body without Content-Encoding.")


def pieces(body: IO[bytes], length: int | None) -> Iterator[bytes]:
    """The body, piece by piece, up to its announced length if there is one.

    Werkzeug's own ``get_data`` cuts a body without a length at the limit, and does not miss the end of one with a
    length when the server says that it terminates bodies itself, as gunicorn does. A further ``read`` raises 413.

    Raises
    ------
    Refusal
        400 when the client stopped sending before the announced end.
    """
    left = length
    while left is None or left > 0:
        piece = body.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            break
        left = None if left is None else left - len(piece)
        yield piece
    if left:
        raise Refusal(400, "The body ended before the announced Content-Length.")
