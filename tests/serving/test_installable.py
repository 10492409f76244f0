"""The manifest, the service worker and the edition."""

import json
import re
import struct

import pytest

from page import Page
from slipway.report.look import LOOK
from slipway.serving.installable import EDITION_HEADER, GROUND, SURFACE

PREFIX = "/models/charges"
WEIGHTS = [[300.0], [30.0], [23000.0], [1.0]]


def edition(client) -> str:
    return Page(client.get("/").text).one("meta", name="slipway-edition")[0]["content"]


def constants(client) -> dict:
    """What the worker's script begins with."""
    text = client.get("/service-worker.js").text
    return {
        name: json.loads(value)
        for name, value in re.findall(r"^const ([A-Z]+) = (.+?);(?: //.*)?$", text, re.M)
        if value[0] in '"[{'
    }


def test_the_manifest_names_the_problem_and_where_it_starts(client):
    answer = client.get("/manifest.webmanifest")
    assert (answer.status_code, answer.mimetype) == (200, "application/manifest+json")
    assert answer.headers["Cache-Control"] == "no-cache"
    found = answer.json
    assert (found["name"], found["description"], found["display"]) == ("regression", "Predict charges", "standalone")
    assert found["id"] == found["start_url"] == found["scope"] == "/"
    assert {icon["sizes"] for icon in found["icons"]} == {"any", "192x192", "512x512"}
    assert [icon["purpose"] for icon in found["icons"] if "purpose" in icon] == ["maskable"]


def test_its_icons_are_what_it_says_and_small(client):
    sizes = []
    for icon in client.get("/manifest.webmanifest").json["icons"]:
        answer = client.get(icon["src"])
        assert (answer.status_code, answer.mimetype) == (200, icon["type"])
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", answer.data[16:24])
            assert f"{width}x{height}" == icon["sizes"]
            sizes.append(len(answer.data))
    assert len(sizes) == 3 and sum(sizes) < 20_000


def test_a_long_name_is_short_under_the_icon(serve):
    app = serve()
    app.extensions["slipway"].problem = _renamed(app.extensions["slipway"].problem, "Versicherungsprämien für 日本")
    found = app.test_client().get("/manifest.webmanifest").json
    assert found["name"] == "Versicherungsprämien für 日本" and len(found["short_name"]) == 12


def _renamed(problem, name):
    from msgspec.structs import replace

    return replace(problem, name=name)


def test_the_colours_are_those_of_the_look(client):
    light, dark = re.findall(r":root \{(.*?)\}", LOOK.read_text(), re.S)[:2]
    assert "--surface: #fff;" in light and SURFACE == "#ffffff" and f"--ground: {GROUND};" in light
    colours = [each["content"] for each, _ in Page(client.get("/").text).all("meta", name="theme-color")]
    assert colours[0] == SURFACE and f"--surface: {colours[1]};" in dark


@pytest.mark.parametrize("path", ["/", "/model", "/report", "/apidocs/", "/nowhere"])
def test_every_page_links_the_manifest_and_registers_the_worker(client, path):
    page = Page(client.get(path, headers={"Accept": "text/html"}).text)
    assert page.one("link", rel="manifest")[0]["href"] == "/manifest.webmanifest"
    assert page.one("link", rel="apple-touch-icon")[0]["href"] == "/static/icon-maskable.png"
    assert [each["data-worker"] for each, _ in page.all("script", data_worker=None)] == ["/service-worker.js"]


def test_the_worker_is_asked_for_at_every_visit_and_names_its_edition(client):
    answer = client.get("/service-worker.js")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert answer.headers["Cache-Control"] == "no-cache"
    found = constants(client)
    assert found["EDITION"] == edition(client) == client.get("/").headers[EDITION_HEADER]
    assert found["NAMES"] == {"edition": f"slipway:/:{edition(client)}"} and found["SCOPE"] == "/"
    assert found["PAGES"] == ["/", "/model", "/report"]


def test_the_policy_lets_the_worker_and_the_manifest_in(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "worker-src 'self'" in policy and "manifest-src 'self'" in policy and "unsafe" not in policy


def test_what_the_worker_keeps_is_what_the_form_loads(client):
    kept = constants(client)["ASSETS"]
    page = Page(client.get("/").text)
    loaded = [each["src"] for each, _ in page.all("script", src=None)]
    loaded += [each["href"] for each, _ in page.all("link") if each["rel"] in ("icon", "stylesheet", "manifest")]
    assert sorted(kept) == sorted(loaded)
    assert all(client.get(address).status_code == 200 for address in kept)


def test_under_a_prefix_everything_is_below_it(serve):
    client = serve(environ={"SLIPWAY_URL_PREFIX": PREFIX}).test_client()
    found = client.get("/manifest.webmanifest").json
    assert found["start_url"] == found["scope"] == f"{PREFIX}/"
    assert all(icon["src"].startswith(f"{PREFIX}/static/") for icon in found["icons"])
    worker = constants(client)
    assert worker["SCOPE"] == f"{PREFIX}/" and worker["NAMES"]["edition"].startswith(f"slipway:{PREFIX}/:")
    assert all(address.startswith(f"{PREFIX}/") for address in [*worker["ASSETS"], *worker["PAGES"]])


def test_the_edition_changes_with_what_is_served_and_with_nothing_else(serve):
    apps = {
        "first": serve(),
        "again": serve(),
        "model": serve(weights=WEIGHTS),
        "release": serve(environ={"SLIPWAY_RELEASE": "7"}),
        "keys": serve(environ={"SLIPWAY_API_KEYS": "key"}),
        "task": serve("binary"),
    }
    found = {name: edition(app.test_client()) for name, app in apps.items()}
    assert found.pop("again") == found["first"]
    assert len(set(found.values())) == len(found) and all(re.fullmatch("[0-9a-f]{16}", each) for each in found.values())


def test_with_keys_the_page_that_is_kept_holds_no_answer(serve):
    client = serve(environ={"SLIPWAY_API_KEYS": "key"}).test_client()
    assert client.get("/service-worker.js").status_code == 200 and not Page(client.get("/").text).all("data")
