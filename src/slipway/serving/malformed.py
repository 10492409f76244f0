"""What is not HTTP: how it is refused, and told in the log without what was sent, which may be a row or a key."""

import re

from gunicorn.http import errors

STATUSES: dict[type[Exception], tuple[int, str]] = {
    errors.ConfigurationProblem: (500, "Internal Server Error"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
    errors.ForbiddenProxyRequest: (403, "Forbidden"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
}
OF_THE_APPLICATION = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
SIZES = (errors.LimitRequestHeaders, errors.LimitRequestLine)  # their texts have limits alone
WORD = re.compile("(?<=[a-z0-9])(?=[A-Z])")
ENCODE = (errors.InvalidRequestLine, errors.InvalidHTTPVersion)


def refusal_of(error: Exception) -> tuple[int, str, str] | None:
    """Status, reason and detail of the answer; None when it is not the request that is wrong."""
    if not isinstance(error, errors.ParseException) or isinstance(error, OF_THE_APPLICATION):
        return None
    kind = next((kind for kind in STATUSES if isinstance(error, kind)), None)
    status, reason = STATUSES[kind] if kind else (400, "Bad Request")
    detail = str(error) if isinstance(error, SIZES) else WORD.sub(" ", type(error).__name__)
    if isinstance(error, ENCODE):
        detail += "; in an address, write spaces and letters outside of ASCII as %XX"
    return status, reason, detail
