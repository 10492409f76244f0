"""The site of the documentation, as a browser shows it."""

import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.wait import WebDriverWait

from servers import DEADLINE, ROOT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Its address."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_the_site_needs_no_other_host(chromium, site):
    chromium.get(site)
    loaded = chromium.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
    assert loaded and [address for address in loaded if not address.startswith(site)] == []


def test_the_search_finds_a_setting_and_a_docstring(chromium, site):
    for word, page in {"holdout": "docs/settings/", "Predictor": "reference/model/"}.items():
        chromium.get(f"{site}?q={word}")
        found = (By.CSS_SELECTOR, f".md-search-result a[href*='{page}']")
        WebDriverWait(chromium, DEADLINE).until(presence_of_element_located(found))
