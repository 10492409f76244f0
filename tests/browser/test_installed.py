"""The form as an app on a phone: installed, opened without the server, answering on the device, and after another release."""

import json
import threading

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import make_server

from bundles import TASKS
from page import start
from servers import DEADLINE
from slipway.model.encoding import Encoding, Output
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.serving.offline.web_runtime import BINARY, MODULE, NAME
from slipway.table.schema import Field, Schema

pytestmark = pytest.mark.browser

OFFLINE = "serving: {offline: true}\n"
OTHERS = [[300.0], [30.0], [23000.0], [1.0]]  # of another model
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
KEPT = "caches.keys().then(names => arguments[0](names))"
RUNTIME = "slipway:/:runtime"
RUNTIMES = f"""
const [done] = arguments;
caches.open("{RUNTIME}").then((cache) => cache.keys()).then((found) => done(found.map((each) => each.url)));
"""
AGED = f"""
const [[name, other], done] = arguments;
(async () => {{
  const cache = await caches.open("{RUNTIME}");
  for (const request of await cache.keys()) {{ if (request.url.endsWith(name)) {{ await cache.delete(request); }} }}
  await cache.put(other, new Response("of another version"));
}})().then(done);
"""  # as a device that downloaded an earlier runtime
NOTES = """
window.notes = [];
const note = document.getElementById("note");
new MutationObserver(() => window.notes.push(note.textContent)).observe(note, {childList: true});
"""


class Site:
    """An address whose server comes, goes, and comes back as another release."""

    def __init__(self, folder):
        self.folder, self.port, self.served, self.count = folder, 0, None, 0

    def serve(self, app):
        self.stop()
        server = make_server("127.0.0.1", self.port, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.port, self.served = server.port, (server, thread)
        return app

    def release(self, runtime=None, *args, **kwargs):
        """A new folder with a champion, served from now on."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        if runtime:
            (folder / "artifacts").mkdir()
            (folder / "artifacts" / NAME).symlink_to(runtime)
        return self.serve(start(folder, *args, **kwargs))

    def stop(self):
        if self.served:
            server, thread = self.served
            server.shutdown()
            thread.join()
            server.server_close()
        self.served = None

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def site(tmp_path, chromium):
    site = Site(tmp_path)
    yield site
    chromium.get("about:blank")
    site.stop()


@pytest.fixture
def phone(chromium):
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def wait(browser, found):
    return WebDriverWait(browser, DEADLINE, poll_frequency=0.05, ignored_exceptions=[WebDriverException]).until(found)


def visit(browser, site):
    """Open the page, and wait until its worker has taken it over."""
    browser.get(site.address)
    edition = browser.find_element(By.CSS_SELECTOR, "meta[name=slipway-edition]").get_attribute("content")
    wait(browser, lambda _: f"slipway:/:{edition}" in kept(browser) and controlled(browser))
    return edition


def controlled(browser):
    return browser.execute_script("return Boolean(navigator.serviceWorker.controller)")


def kept(browser):
    return browser.execute_async_script(KEPT)


def download(browser):
    wait(browser, lambda _: browser.find_element(By.ID, "device-download").is_displayed())
    browser.find_element(By.ID, "device-download").click()
    wait(browser, lambda _: "This device has the model" in browser.find_element(By.ID, "device-state").text)
    assert not browser.find_element(By.ID, "device-download").is_displayed()


def fill(browser, row):
    """Put a row into the form as if it were typed."""
    script = """
      const form = document.querySelector("form.ask");
      for (const [name, value] of arguments[0]) { form.elements.namedItem(name).value = value ?? ""; }
      form.dispatchEvent(new Event("input", {bubbles: true}));
    """
    browser.execute_script(script, list(row.items()))


def answered_here(browser):
    mark = wait(browser, lambda _: browser.find_element(By.CSS_SELECTOR, "#answer .device-mark"))
    assert mark.text == "Answered on this device"
    return browser.find_element(By.CSS_SELECTOR, "#answer data").get_attribute("value")


def is_away(browser):
    return browser.find_element(By.CLASS_NAME, "away").is_displayed()


def press(browser):
    browser.execute_script("window.isOld = true")
    browser.find_element(By.XPATH, "//button[text()='Predict']").click()
    wait(browser, lambda _: browser.execute_script("return !window.isOld && document.readyState === 'complete'"))


def test_a_browser_offers_to_install_it(phone, site):
    site.release()
    edition = visit(phone, site)
    assert phone.execute_cdp_cmd("Page.getInstallabilityErrors", {})["installabilityErrors"] == []
    manifest = phone.execute_cdp_cmd("Page.getAppManifest", {})
    assert manifest["errors"] == [] and json.loads(manifest["data"])["name"] == "regression"
    assert phone.execute_script("return document.documentElement.scrollWidth") <= 390
    assert kept(phone) == [f"slipway:/:{edition}"]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_golden_row_is_answered_without_the_server_as_with_it(phone, site, web_runtime, task):
    app = site.release(web_runtime, task, OFFLINE)
    visit(phone, site)
    download(phone)
    golden = app.extensions["slipway"].golden
    site.stop()
    phone.get(site.address)
    assert is_away(phone)
    phone.execute_script(NOTES)
    for row, expected in zip(golden.rows, golden.predictions, strict=True):
        phone.execute_script("document.querySelector('#answer')?.remove()")
        fill(phone, row)
        found = answered_here(phone)
        told = expected["prediction"]
        assert float(found) == pytest.approx(told, rel=1e-5) if task == "regression" else found == told
    assert phone.execute_script("return window.notes.filter(Boolean)") == ["Opening the model…"], "once"
    assert phone.execute_script("return document.documentElement.scrollWidth") <= 390


def test_what_was_sent_in_vain_comes_back_and_is_answered_until_the_server_is_back(phone, site, web_runtime):
    app = site.release(web_runtime, "regression", OFFLINE)
    visit(phone, site)
    download(phone)
    phone.execute_script("document.querySelector('[name=age]').value = '45'")
    site.stop()
    press(phone)
    assert float(answered_here(phone)) == 13167.0
    assert phone.find_element(By.NAME, "age").get_attribute("value") == "45" and is_away(phone)
    fill(phone, {"age": "999"})
    note = phone.find_element(By.ID, "note")
    wait(phone, lambda _: note.text.startswith("Not updated. age: "))
    assert phone.find_element(By.NAME, "age").get_attribute("aria-invalid") == "true"
    site.serve(app)
    fill(phone, {"age": "46"})
    wait(phone, lambda _: phone.find_elements(By.CSS_SELECTOR, "#answer .diverging"))
    assert not is_away(phone) and not phone.find_elements(By.CSS_SELECTOR, ".device-mark")
    assert phone.find_element(By.ID, "field-0-curve").is_displayed()


def test_without_the_download_the_page_opens_and_says_why_it_does_not_answer(phone, site):
    site.release()
    visit(phone, site)
    site.stop()
    phone.get(site.address)
    assert is_away(phone)
    fill(phone, {"age": "45"})
    says = "Not updated: the service cannot be reached."
    wait(phone, lambda _: phone.find_element(By.ID, "note").text == says)
    press(phone)
    wait(phone, lambda _: phone.find_element(By.ID, "note").text == says)
    assert phone.find_element(By.NAME, "age").get_attribute("value") == "45"
    assert not phone.find_elements(By.TAG_NAME, "data"), "the answer that was kept is one to another row"
    phone.get(f"{site.address}apidocs/")
    assert phone.current_url == site.address and is_away(phone)


def test_another_model_and_a_revert_reach_the_phone_at_the_next_load_and_nothing_of_the_old_one_stays(
    phone, site, web_runtime
):
    before = site.release(web_runtime, "regression", OFFLINE)
    first = visit(phone, site)
    download(phone)
    app = site.release(web_runtime, "regression", OFFLINE, weights=OTHERS)
    phone.execute_async_script(AGED, [MODULE, f"{site.address}offline/onnxruntime-web-0.0.0/{MODULE}"])
    second = visit(phone, site)
    assert second != first
    served = app.extensions["slipway"].digest
    assert phone.find_element(By.CSS_SELECTOR, ".footer code").text == served[:12]
    wait(phone, lambda _: sorted(kept(phone)) == sorted([f"slipway:/:{second}", RUNTIME]))
    wait(phone, lambda _: "This device has the model" in phone.find_element(By.ID, "device-state").text)
    assert {name.rsplit("/", 2)[1] for name in phone.execute_async_script(RUNTIMES)} == {NAME}
    site.stop()
    phone.get(site.address)
    fill(phone, app.extensions["slipway"].golden.rows[0])
    expected = app.extensions["slipway"].golden.predictions[0]["prediction"]
    assert float(answered_here(phone)) == pytest.approx(expected, rel=1e-5)
    loads = phone.execute_script("return performance.getEntriesByType('navigation').length")
    assert loads == 1
    site.serve(before)
    assert visit(phone, site) == first
    wait(phone, lambda _: sorted(kept(phone)) == sorted([f"slipway:/:{first}", RUNTIME]))
    site.release()
    third = visit(phone, site)
    wait(phone, lambda _: kept(phone) == [f"slipway:/:{third}"])
    assert not phone.find_elements(By.ID, "device"), "it is switched off"


def test_an_open_page_says_that_there_is_another_model(phone, site):
    site.release()
    visit(phone, site)
    site.release(weights=OTHERS)
    fill(phone, {"age": "45"})
    note = phone.find_element(By.ID, "note")
    wait(phone, lambda _: "another model" in note.text)
    note.find_element(By.LINK_TEXT, "Reload").click()
    wait(phone, lambda _: not phone.find_element(By.ID, "note").is_displayed())


def test_nothing_is_downloaded_before_the_button_nor_stays_after_it_is_removed_or_does_not_fit(phone, site, web_runtime):
    app = site.release(web_runtime, "regression", OFFLINE)
    edition = visit(phone, site)
    wait(phone, lambda _: phone.find_element(By.ID, "device-download").is_displayed())
    loaded = phone.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [name for name in loaded if "/offline/" in name] == [f"{site.address}offline/{edition}/device.js"]
    full = {"origin": site.address.rstrip("/"), "quotaSize": 5_000_000}
    phone.execute_cdp_cmd("Storage.overrideQuotaForOrigin", full)
    state = phone.find_element(By.ID, "device-state")
    phone.find_element(By.ID, "device-download").click()
    wait(phone, lambda _: "too little space" in state.text)
    assert kept(phone) == [f"slipway:/:{edition}"]
    phone.execute_cdp_cmd("Storage.overrideQuotaForOrigin", {"origin": full["origin"]})
    download(phone)
    assert phone.switch_to.active_element.get_attribute("id") == "device-remove"
    phone.find_element(By.ID, "device-remove").click()
    wait(phone, lambda _: phone.find_element(By.ID, "device-download").is_displayed())
    assert kept(phone) == [f"slipway:/:{edition}"]
    assert phone.switch_to.active_element.get_attribute("id") == "device-download"
    app.extensions["slipway-device"].sums[BINARY] = app.extensions["slipway-device"].sums[MODULE]
    visit(phone, site)
    wait(phone, lambda _: phone.find_element(By.ID, "device-download").is_displayed())
    phone.find_element(By.ID, "device-download").click()
    wait(phone, lambda _: "The download failed" in phone.find_element(By.ID, "device-state").text)
    [module] = phone.execute_async_script(RUNTIMES)
    assert module.endswith(MODULE), "what is not the locked file is not kept"
    assert phone.find_element(By.ID, "device-remove").is_displayed()


def test_where_there_is_no_worker_any_more_the_old_one_goes(phone, site):
    site.release()
    visit(phone, site)
    site.serve(_plain)
    phone.get(site.address)
    gone = "navigator.serviceWorker.getRegistrations().then(found => arguments[0](found.length === 0))"
    wait(phone, lambda _: kept(phone) == [] and phone.execute_async_script(gone))


def _plain(environ, start_response):
    """A release from before there were workers."""
    start_response(
        "200 OK" if environ["PATH_INFO"] == "/" else "404 Not Found", [("Content-Type", "text/html; charset=utf-8")]
    )
    return [b"<!doctype html><title>Earlier</title><p>Earlier"]


def test_under_a_prefix_with_names_of_any_letters(phone, site, web_runtime):
    names = ['al"ter <b>', "__proto__", "raucht?"]
    fields = (
        Field(names[0], "integer", minimum=1, maximum=9, example=5),
        Field(names[1], "number", minimum=-5, maximum=9.5, missing=0.2, example=2.5),
        Field(names[2], "category", levels=("nein", "ja\nvielleicht", "</script>", "日本"), example="nein"),
    )
    outputs = (Output("value", names[0]), Output("value", names[1], fill=3.0), Output("level", names[2], levels=("日本",)))
    rows = [dict(zip(names, cells)) for cells in ((3, None, "日本"), (4, 1.25, "ja\nvielleicht"))]
    made = {
        "schema": Schema(fields),
        "encoding": Encoding(Schema(fields), outputs),
        "rows": rows,
        "weights": [[1.0], [2.0], [9.0]],
    }
    site.release(web_runtime, "regression", OFFLINE, **made)
    problem = load_problem(site.folder / "1" / "slipway.yaml", environ={})
    app = site.serve(build(problem, {"SLIPWAY_URL_PREFIX": "/models/smoke"}))
    phone.get(f"{site.address}models/smoke/")
    wait(phone, lambda _: controlled(phone))
    download(phone)
    assert all(name.startswith("slipway:/models/smoke/:") for name in kept(phone))
    site.stop()
    phone.get(f"{site.address}models/smoke/")
    for row, expected in zip(rows, app.extensions["slipway"].golden.predictions, strict=True):
        fill(phone, row)
        press(phone)
        assert float(answered_here(phone)) == pytest.approx(expected["prediction"], rel=1e-5)


def test_two_tabs_take_the_new_edition_without_a_loop(phone, site):
    site.release()
    visit(phone, site)
    first = phone.current_window_handle
    phone.switch_to.new_window("tab")
    try:
        visit(phone, site)
        site.release(weights=OTHERS)
        second = visit(phone, site)
        wait(phone, lambda _: kept(phone) == [f"slipway:/:{second}"])
        phone.switch_to.window(first)
        assert phone.execute_script("return performance.getEntriesByType('navigation').length") == 1
        assert not phone.find_element(By.ID, "note").is_displayed()
        assert visit(phone, site) == second
    finally:
        phone.switch_to.window([each for each in phone.window_handles if each != first][0])
        phone.close()
        phone.switch_to.window(first)
