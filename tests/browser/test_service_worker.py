"""What the service worker does when something breaks: its script alone, in Node.js, with a network and caches made for it."""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256

import pytest

from page import start

pytestmark = pytest.mark.browser

WORLD = """
import { readFileSync } from "node:fs";
import vm from "node:vm";

const { script, steps, answers, caches: full, broken, installing } = JSON.parse(readFileSync(0, "utf8"));
const html = { "Content-Type": "text/html" };
const origin = "https://charges.example";
const at = (address) => new URL(address.url ?? address, origin).href.slice(origin.length);
const stores = new Map(Object.entries(full).map(([name, kept]) => [name, new Map(Object.entries(kept))]));
const guard = () => { if (broken) { throw new Error("storage is broken"); } };
const cacheOf = (store) => ({
  match: async (key) => (store.has(at(key)) ? new Response(store.get(at(key)), { headers: html }) : undefined),
  put: async (key, answer) => { store.set(at(key), await answer.text()); },
  addAll: async (requests) => { for (const each of requests) { store.set(at(each), each.integrity); } },
});
const caches = {
  open: async (name) => {
    guard();
    stores.set(name, stores.get(name) ?? new Map());
    return cacheOf(stores.get(name));
  },
  has: async (name) => { guard(); return stores.has(name); },
  keys: async () => { guard(); return [...stores.keys()]; },
  delete: async (name) => { guard(); return stores.delete(name); },
};
const fetched = async (request) => {
  const found = answers[at(request)];
  if (found === "hangs") { return new Promise(() => {}); }
  if (!found) { throw new TypeError("Failed to fetch"); }
  return new Response(found.body ?? "", { status: found.status ?? 200, headers: { ...html, ...found.headers } });
};
class Answer extends Response {
  static redirect(to) { return new Response("", { status: 302, headers: { Location: to } }); }
}
class Asked { constructor(address, options) { Object.assign(this, { url: at(address) }, options); } }
const events = {};
const said = { gone: false, results: [] };
const self = {
  location: { origin, href: `${origin}/service-worker.js` },
  registration: { installing, waiting: null, unregister: async () => { said.gone = true; } },
  clients: { claim: async () => {} }, skipWaiting: async () => {},
  addEventListener: (name, heard) => { events[name] = heard; },
};
const soon = (done) => setTimeout(done, 5); // ten seconds
const world = { self, caches, fetch: fetched, Request: Asked, Response: Answer, Headers, URL, FormData, setTimeout: soon };
vm.runInNewContext(script, world);

for (const { event = "fetch", method = "GET", mode = "navigate", address = "/" } of steps) {
  const waits = [];
  let answered;
  const request = { method, mode, url: origin + address, clone: () => request, formData: async () => [["age", "45"]] };
  const taken = { request, waitUntil: (done) => waits.push(done), respondWith: (done) => { answered = done; } };
  const result = {};
  try {
    events[event](taken);
    const found = await answered;
    result.status = found?.status ?? null;
    result.body = found ? await found.text() : null;
    for (let count = 0; count < waits.length; count += 1) { await waits[count]; }
  } catch (error) {
    result.error = error.message;
  }
  said.results.push(result);
}
said.caches = Object.fromEntries([...stores].map(([name, store]) => [name, Object.fromEntries(store)]));
process.stdout.write(JSON.stringify(said));
"""
KEPT = {"/": "<html lang>kept</body>", "/static/slipway.css": "x"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
FORM = {"address": "/"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The client of a service."""
    return start(tmp_path_factory.mktemp("served")).test_client()


@pytest.fixture(scope="module")
def edition(served):
    return served.get("/").headers["Slipway-Edition"]


@pytest.fixture
def play(tmp_path, served, edition):
    """(steps, answers of the network, caches, ...) → what the worker answered, and what it keeps afterwards."""
    node = shutil.which("node")
    if not node and os.environ.get("SLIPWAY_BROWSER") != "required":
        pytest.skip("needs Node.js")
    (tmp_path / "world.mjs").write_text(WORLD)

    def played(*steps, answers=None, caches=None, broken=False, installing=None):
        given = {"script": served.get("/service-worker.js").text, "steps": steps, "answers": answers or {}}
        given |= {"caches": {ours(edition): KEPT} if caches is None else caches, "broken": broken, "installing": installing}
        done = subprocess.run(
            [node, "world.mjs"], input=json.dumps(given).encode(), cwd=tmp_path, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return played


def ours(edition):
    return f"slipway:/:{edition}"


def of(edition, body="<html lang>fresh", status=200):
    return {"status": status, "headers": HTML | {"Slipway-Edition": edition}, "body": body}


def test_a_page_that_came_is_shown_even_if_the_storage_is_broken(play, edition):
    for answer in (of(edition), {"headers": HTML, "body": "another program"}):
        [result] = play(FORM, answers={"/": answer}, broken=True)["results"]
        assert result == {"status": 200, "body": answer["body"]}
    assert play(FORM, answers={"/": of(edition, status=503)}, broken=True)["results"][0]["status"] == 503


def test_a_script_comes_from_the_network_if_the_storage_is_broken(play, served, edition):
    address = f"/static/form.js?v={edition}"
    [result] = play({"address": address, "mode": "cors"}, answers={address: {"body": "code"}}, broken=True)["results"]
    assert result == {"status": 200, "body": "code"}


def test_the_login_page_of_a_proxy_forgets_nothing(play, edition):
    login = {"headers": HTML, "body": "<html>Log in"}
    found = play(FORM, answers={"/": login, "/service-worker.js": login})
    assert found["results"][0]["body"] == "<html>Log in" and not found["gone"]
    assert found["caches"] == {ours(edition): KEPT}


@pytest.mark.parametrize("status", [404, 410])
def test_a_release_without_a_worker_ends_it(play, status):
    found = play(FORM, answers={"/": {"headers": HTML}, "/service-worker.js": {"status": status}})
    assert found["gone"] and found["caches"] == {}


@pytest.mark.parametrize("status", [502, 503, 504])
def test_another_program_of_the_origin_that_is_away_keeps_its_own_error(play, edition, status):
    away = {"/grafana/": {"status": status, "body": "Grafana is away"}}
    [result] = play({"address": "/grafana/"}, answers=away)["results"]
    assert result == {"status": None, "body": None}, "left to the browser"
    [result] = play(FORM, answers={"/": {"status": status}})["results"]
    assert result["status"] == 200 and "data-away" in result["body"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_never_answers_is_away(play, method):
    [result] = play({"address": "/", "method": method}, answers={"/": "hangs"})["results"]
    assert result["status"] == 200 and "data-away" in result["body"]
    assert ('[["age","45"]]' in result["body"]) == (method == "POST")


def test_behind_a_load_balancer_with_two_editions_neither_spoils_the_other(play, edition):
    other = "0123456789abcdef"
    both = {ours(edition): KEPT, ours(other): KEPT, "slipway:/models/charges/:x": KEPT, "theirs": {}}
    found = play(FORM, answers={"/": of(other)}, caches=both)
    assert found["caches"] == both and not found["gone"], "a page of the other edition"
    found = play(FORM, answers={"/": of(edition)}, caches=both, installing={})
    assert found["caches"].keys() == both.keys(), "the other one is being installed"
    found = play(FORM, answers={"/": of(edition)}, caches=both)
    assert found["caches"].keys() == both.keys() - {ours(other)}
    assert found["caches"][ours(edition)]["/"] == "<html lang>fresh"
    [result] = play({"event": "install"}, answers={"/": of(other)})["results"]
    assert result["error"] == "another edition answers already"


def test_what_it_keeps_of_the_pages_is_verified(play, served, edition):
    found = play({"event": "install"}, answers={"/": of(edition)}, caches={})["caches"][ours(edition)]
    assert found.pop("/") == "<html lang>fresh" and len(found) > 4
    for address, integrity in found.items():
        with served.get(address) as answer:
            assert integrity == f"sha256-{b64encode(sha256(answer.data).digest()).decode()}", address
