"""The snippets of the form where they are pasted: a shell with curl, Node.js, and the console of a browser."""

import io
import json
import shutil
import subprocess

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from conftest import absent
from servers import DEADLINE
from slipway.model.encoding import Encoding, Output
from slipway.table.schema import Field, Schema

pytestmark = pytest.mark.browser

NASTY = 'it\'s "new" \\ $HOME `id` $(id) ${x} {x} %s </script> \u2028\u0085\u202e \n\t ü😀'
SCHEMA = Schema(
    (
        Field(NASTY, "number", minimum=0, maximum=9.5, example=0.123456789012),
        Field("__proto__", "number", minimum=-9, maximum=9, example=-7.5),
        Field("level", "category", levels=("no", NASTY), example=NASTY),
    )
)
ENCODING = Encoding(
    SCHEMA, (Output("value", NASTY), Output("value", "__proto__"), *(Output("level", "level", levels=("no",)),) * 2)
)
ROW = {NASTY: 0.123456789012, "__proto__": -7.5, "level": NASTY}


@pytest.fixture
def page(browse):
    """The browser at the form, and what the service received since."""
    received = []

    def heard(serve, **changes):
        app = serve(**changes)
        inner = app.wsgi_app

        def outer(environ, start_response):
            if environ["PATH_INFO"] == "/predict":
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                received.append(json.loads(body))
                environ["wsgi.input"] = io.BytesIO(body)
            return inner(environ, start_response)

        app.wsgi_app = outer
        return app

    return browse(made=heard, schema=SCHEMA, encoding=ENCODING, rows=[ROW]), received


def snippet(browser, language):
    return browser.find_element(By.ID, language).get_attribute("textContent")


@pytest.mark.parametrize("language, command", [("curl", ["sh", "-c"]), ("javascript", ["node", "-e"])])
def test_a_program_sends_the_row(page, language, command):
    browser, received = page
    needed = "node" if language == "javascript" else "curl"
    if not shutil.which(needed):
        absent(needed, "SLIPWAY_BROWSER")
    done = subprocess.run([*command, snippet(browser, language)], capture_output=True, text=True, timeout=60, check=True)
    assert received == [ROW]
    assert browser.find_element(By.TAG_NAME, "data").get_attribute("value") in done.stdout


def test_the_console_of_the_browser_sends_the_row(page):
    browser, received = page
    said = browser.execute_async_script(f"console.log = arguments[0];\n{snippet(browser, 'javascript')}")
    assert received == [ROW]
    assert str(said["prediction"]) == browser.find_element(By.TAG_NAME, "data").get_attribute("value")


def test_one_snippet_is_open_at_a_time_and_stays_open_while_somebody_types(browse):
    browser = browse()
    shown = "return [...document.querySelectorAll('details.snippet[open] pre')].map((each) => each.id)"
    assert browser.execute_script(shown) == ["curl"]
    browser.find_element(By.XPATH, "//summary[text()='JavaScript']").click()
    assert browser.execute_script(shown)[-1:] == ["javascript"]
    browser.execute_script("window.before = document.getElementById('javascript')")
    field = browser.find_element(By.ID, "field-0")
    field.clear()
    field.send_keys("45")
    changed = "return document.getElementById('javascript') !== window.before"
    WebDriverWait(browser, DEADLINE, poll_frequency=0.05).until(lambda _: browser.execute_script(changed))
    assert '"age": 45,' in snippet(browser, "javascript")
    assert browser.execute_script(shown)[-1:] == ["javascript"]
