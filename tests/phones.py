"""An address whose releases change, and what somebody with a phone does there."""

import threading

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import make_server

from page import start
from servers import DEADLINE
from slipway.serving.offline.web_runtime import NAME

KEPT = "caches.keys().then(names => arguments[0](names))"


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
