"""A real browser: Chrome, as on GitHub's machines, or Debian's Chromium, driven by selenium."""

import os
import shutil
import threading
from functools import partial

import pytest
from selenium import webdriver
from werkzeug.serving import make_server

from conftest import absent
from page import start
from slipway.errors import ServingError
from slipway.serving.offline.fetch_runtime import fetch_runtime
from slipway.serving.offline.web_runtime import NAME

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The browser; without one the tests are skipped, unless SLIPWAY_BROWSER=required."""
    required = os.environ.get("SLIPWAY_BROWSER") == "required"
    binary = shutil.which("google-chrome") or shutil.which("chromium")  # with both, the driver is that of Chrome
    driver = shutil.which("chromedriver")
    if not (binary and driver) and not required:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def browse(chromium, tmp_path):
    """(what `start` takes) → the browser at the form of that app; `made` makes another one with it."""
    stops = []

    def visit(*args, made=lambda serve, **kwargs: serve(**kwargs), **kwargs):
        app = made(partial(start, tmp_path, *args), **kwargs)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stops.append((server, thread))
        chromium.get_log("browser")
        chromium.get(f"http://127.0.0.1:{server.port}/")
        return chromium

    yield visit
    chromium.get("about:blank")
    for server, thread in stops:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def web_runtime(tmp_path_factory):
    """The folder of onnxruntime-web, fetched from the npm registry as the build of an image does."""
    folder = tmp_path_factory.mktemp("npm") / NAME
    try:
        fetch_runtime(folder)
    except ServingError as error:
        absent(f"the npm registry ({error})", "SLIPWAY_BROWSER")
    return folder
