"""A message to a webhook, in the form that Slack takes; with the standard library alone, because boxes send some, too."""

import json

SECONDS = 5
REDIRECTS = (301, 302, 303, 307, 308)


def post(url: str, text: str, good: bool) -> str:
    """Send a message; returns why it did not arrive, without the address, which is a secret. Empty when it did.

    No redirect is followed: it could lead to HTTP, or to an address that only this machine reaches.

    Parameters
    ----------
    url : str
    text : str
        Sent with ``&``, ``<`` and ``>`` as Slack wants them: there, ``<!channel>`` would call everybody.
    good : bool
        Whether it is good news.
    """
    from html import escape  # when there is something to tell: the program on a box starts often
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Refusing(HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            """None makes a redirect the error that it is here."""

    content = json.dumps({"text": escape(text, quote=False), "ok": good}).encode()
    try:
        build_opener(Refusing).open(Request(url, content, {"Content-Type": "application/json"}), timeout=SECONDS).close()
    except HTTPError as error:
        error.close()
        refused = ", a redirect, which is not followed" if error.code in REDIRECTS else ""
        return f"HTTP {error.code}{refused}"
    except (OSError, ValueError, HTTPException) as error:
        return type(error).__name__
    return ""
