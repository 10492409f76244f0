"""/live: the page of the last look, for those who have a key."""

import pytest

from looks import PAGE, leave
from page import Page, start
from slipway.model import last_look
from slipway.serving.keys import FORM_FIELD

LOGS = "log: {to: files}\n"
HTML = {"Accept": "text/html"}


@pytest.fixture
def client(tmp_path):
    return start(tmp_path, settings=LOGS).test_client()


@pytest.fixture
def guarded(tmp_path):
    return start(tmp_path, settings=LOGS, keys="first").test_client()


def test_the_page_is_shown_as_it_is_and_may_do_nothing(client, tmp_path):
    leave(tmp_path / "log")
    answer = client.get("/live")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, PAGE, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    leave(tmp_path / "log", "<p>the next look</p>")
    assert client.get("/live").text == "<p>the next look</p>"


def test_pages_link_to_it_where_it_is(client, tmp_path):
    assert 'href="/live"' not in client.get("/model").text
    leave(tmp_path / "log")
    assert 'href="/live"' in client.get("/model").text


@pytest.mark.parametrize(
    "settings, told", [("", "no prediction log"), ("log: {to: stdout}\n", "no prediction log"), (LOGS, "slipway watch")]
)
def test_where_there_is_none_it_says_why(tmp_path, settings, told):
    client = start(tmp_path, settings=settings).test_client()
    if settings != LOGS:
        leave(tmp_path / "log")
    answer = client.get("/live")
    assert answer.status_code == 404 and told in answer.json["detail"]
    page = client.get("/live", headers=HTML)
    assert page.status_code == 404 and told in page.text
    Page(page.text)


def test_a_page_larger_than_any_is_not_sent(client, tmp_path, monkeypatch):
    monkeypatch.setattr(last_look, "LARGEST", len(PAGE) - 1)
    leave(tmp_path / "log")
    answer = client.get("/live")
    assert answer.status_code == 503 and "live.html has more than" in answer.json["detail"]


def test_a_folder_in_its_place_is_told(client, tmp_path):
    (tmp_path / "log/live.html").mkdir(parents=True)
    answer = client.get("/live")
    assert answer.status_code == 503 and "Is a directory" in answer.json["detail"]


def test_a_key_opens_it(guarded, tmp_path):
    leave(tmp_path / "log")
    refused = guarded.get("/live")
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json") and PAGE not in refused.text
    for headers in ({"X-API-Key": "first"}, {"Authorization": "Bearer first"}):
        assert guarded.get("/live", headers=headers).text == PAGE


def test_a_browser_is_asked_for_the_key(guarded, tmp_path):
    leave(tmp_path / "log")
    asked = guarded.get("/live", headers=HTML)
    page = Page(asked.text)
    assert asked.status_code == 401 and FORM_FIELD in page.form and "not valid" not in asked.text
    wrong = guarded.post("/live", data={FORM_FIELD: "second"}, headers=HTML)
    assert wrong.status_code == 401 and "not valid" in Page(wrong.text).one("p", class_="error")[1]
    assert guarded.post("/live", data={FORM_FIELD: "first"}, headers=HTML).text == PAGE


def test_the_key_is_not_taken_from_the_address(guarded, tmp_path):
    leave(tmp_path / "log")
    assert guarded.get("/live", query_string={FORM_FIELD: "first"}).status_code == 401


def test_without_a_key_the_answer_is_the_same_with_and_without_a_page(guarded, tmp_path):
    before = guarded.get("/live").json
    leave(tmp_path / "log")
    assert guarded.get("/live").json == before
