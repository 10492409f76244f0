import re
from dataclasses import replace
from functools import partial

import pytest

from page import TYPED, Page, start
from slipway.report.documents import verdict_of
from slipway.report.look import LOOK


@pytest.fixture
def serve(tmp_path):
    return partial(start, tmp_path)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_card_tells_what_serves_and_why(serve, task):
    app = serve(task)
    page = Page(app.test_client().get("/model").text)
    assert page.one("code", id="digest")[1] == app.extensions["slipway"].digest
    text = " ".join(page.one("main")[1].split())
    for part in (
        "promoted",
        "it is the first champion",
        "0.8000",
        "0.7000 to 0.9000",
        "never",
        "10.0 %",
        "penalty 1.0",
        "15.96 to 53.13",
        "2020-01-01 to 2023-12-31",
        "no, yes",
    ):
        assert part in text
    links = [each["href"] for each, _ in page.all("a", href=None)]
    assert "/report" in links and "/apidocs/" in links
    assert not page.all("img") and page.all("svg", class_="chart")


def test_the_card_tells_since_when_for_what_and_what_ran_before(serve):
    app = serve(settings="purpose: Whom to insure?", verdict={"outcome": "promoted", "at": "2026-11-21T23:00:00Z"})
    here, before = app.extensions["slipway"], {"digest": "ab" * 32, "outcome": "promoted", "at": "2026-10-01T08:00:00Z"}
    here.documents = replace(here.documents, history=(verdict_of(before),))
    text = " ".join(Page(app.test_client().get("/model").text).one("main")[1].split())
    for part in (
        "promoted on 2026-11-21",
        "Whom to insure?",
        "abababababab from 2026-10-01",
        "Few rows were held out",
    ):
        assert part in text


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_report_is_a_page_with_a_way_back(serve, task):
    page = Page(serve(task).test_client().get("/report").text)
    assert {each["href"] for each, _ in page.all("a", href=None)} >= {"/", "/model", "/report.html"}
    text = " ".join(page.one("main")[1].split())
    for part in ("promoted", "it is the first champion", "This model runs now", "What should worry you"):
        assert part in text
    assert page.all("svg", class_="chart") and not page.all("img")


def test_the_report_can_be_kept_as_a_file_that_can_run_nothing(serve):
    answer = serve().test_client().get("/report.html")
    assert answer.status_code == 200 and answer.data.startswith(b"<!doctype html>")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=report-")
    assert "it is the first champion" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy


def test_an_error_is_a_page_of_the_same_look(serve):
    answer = serve().test_client().get("/nowhere", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    page = Page(answer.text)
    assert page.one("h1")[1] == "Not Found"
    assert len(page.all("nav")) == 1


def test_no_style_or_script_is_inline(serve):
    client = serve().test_client()
    for text in (
        client.get("/").text,
        client.post("/", data=TYPED).text,
        client.get("/model").text,
        client.get("/report").text,
    ):
        page = Page(text)
        assert not page.all("style")
        assert all("src" in attributes for attributes, _ in page.all("script"))
        names = {name for _, attributes, _ in page.elements for name in attributes}
        assert not [name for name in names if name == "style" or name.startswith("on")]


def test_nothing_comes_from_elsewhere(serve):
    client = serve().test_client()
    for text in (client.get("/").text, client.get("/model").text, client.get("/report").text):
        for _, attributes, _ in Page(text).elements:
            for name in ("src", "href", "action"):
                assert attributes.get(name, "/").startswith(("/", "#"))


def test_the_look_keeps_its_contrast():
    """WCAG AA: 4.5 for text on each ground it is used on, 3 for bars and the edges of controls."""
    sheet = LOOK.read_text()
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.S)[:2]
    for block in (light, dark):
        colour = {name: _luminance(code) for name, code in re.findall(r"--([\w-]+): #(\w+);", block)}
        for text, grounds in {
            "ink": ("ground", "surface", "wash", "wrong-wash"),
            "quiet": ("ground", "surface"),
            "accent": ("ground", "surface", "wash"),
            "on-accent": ("accent",),
            "wrong": ("ground", "wrong-wash"),
        }.items():
            for ground in grounds:
                assert _contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
        for edge, ground in (("edge", "ground"), ("accent", "ground"), ("falls", "surface"), ("accent", "surface")):
            assert _contrast(colour[edge], colour[ground]) >= 3, edge


def _luminance(code):
    code = code if len(code) == 6 else "".join(2 * digit for digit in code)
    red, green, blue = (_linear(int(code[place : place + 2], 16) / 255) for place in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part):
    return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4


def _contrast(one, other):
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
