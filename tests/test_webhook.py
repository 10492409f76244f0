"""What a webhook gets, and what is said of one that does not take it."""

import json

import pytest

from servers import free_port
from slipway.webhook import post
from web import serve_web


def test_the_message_is_one_for_slack():
    with serve_web() as web:
        web.pages["/hook"] = (200, b"ok")
        assert post(f"{web.url}/hook", "`workclass` is <=50K & <!channel>", False) == ""
    assert json.loads(web.sent["/hook"]) == {"text": "`workclass` is &lt;=50K &amp; &lt;!channel&gt;", "ok": False}


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_refusal_is_told_without_the_address(status):
    with serve_web() as web:
        web.pages["/services/SECRET"] = (status, b"")
        assert post(f"{web.url}/services/SECRET", "a", True) == f"HTTP {status}"


@pytest.mark.parametrize("status", [301, 302])
def test_a_redirect_is_refused_and_told_without_the_address(status):
    """It could lead from https to http, or to an address that only this machine reaches."""
    with serve_web() as web:
        web.pages["/services/SECRET"] = (status, f"{web.url}/inside")
        web.pages["/inside"] = (200, b"ok")
        said = post(f"{web.url}/services/SECRET", "a", True)
    assert said == f"HTTP {status}, a redirect, which is not followed"
    assert [path for path, _ in web.calls] == ["/services/SECRET"]


def test_nobody_there():
    assert post(f"http://127.0.0.1:{free_port()}/", "a", True) == "URLError"
    assert post("nonsense", "a", True) == "ValueError"
