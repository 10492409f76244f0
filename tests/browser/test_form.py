"""The form's way in a real browser: each task, by keyboard, without JavaScript, on a phone and on a desk."""

from contextlib import contextmanager

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.browser

ANSWERS = {"regression": "36,167", "binary": "Y", "multiclass": "a"}


@contextmanager
def next_page(browser):
    """Wait until what is done inside has brought another page."""
    browser.execute_script("window.isOld = true")
    yield
    # Between two pages the driver has no document to ask, which it reports in several ways.
    patient = WebDriverWait(browser, 10, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
    arrived = "return !window.isOld && document.readyState === 'complete'"
    patient.until(lambda _: browser.execute_script(arrived))


def predict(browser):
    with next_page(browser):
        browser.find_element(By.XPATH, "//button[text()='Predict']").click()


def press(browser, *keys):
    """Type where the focus is."""
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def focused(browser):
    return browser.switch_to.active_element.get_attribute("id")


def complaints(browser):
    """What the browser's console says, except that an answer had the status of an error."""
    return [entry["message"] for entry in browser.get_log("browser") if "status of 4" not in entry["message"]]


@pytest.mark.parametrize("task", ANSWERS)
def test_from_the_form_to_the_answer(browse, task):
    browser = browse(task)
    age = browser.find_element(By.NAME, "age")
    age.clear()
    age.send_keys("45")
    browser.find_element(By.XPATH, "//label[normalize-space()='yes']").click()
    predict(browser)
    assert browser.find_element(By.TAG_NAME, "data").text == ANSWERS[task]
    assert len(browser.find_elements(By.CSS_SELECTOR, ".diverging tbody tr")) == 6
    assert focused(browser) == "answer"
    assert browser.find_element(By.NAME, "age").get_attribute("value") == "45"
    assert complaints(browser) == []


def test_by_keyboard_alone(browse):
    browser = browse()
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    press(browser, Keys.ENTER)
    assert focused(browser) == "main"
    press(browser, Keys.TAB, Keys.CONTROL + "a", "999", Keys.TAB, Keys.TAB, Keys.ARROW_RIGHT)
    with next_page(browser):
        press(browser, Keys.ENTER)
    assert focused(browser) == "answer", "the summary of what is wrong"
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text.startswith("age: expected ")
    press(browser, Keys.ENTER)
    field = browser.switch_to.active_element
    assert field.get_attribute("name") == "age" and field.get_attribute("value") == "999"
    with next_page(browser):
        press(browser, Keys.CONTROL + "a", "40", Keys.ENTER)
    assert focused(browser) == "answer"
    smoker = browser.find_element(By.CSS_SELECTOR, "[name=smoker]:checked")
    assert smoker.get_attribute("value") == "yes"
    assert browser.find_element(By.TAG_NAME, "data").text == "34,917"
    assert complaints(browser) == []


def test_without_javascript(browse):
    browser = browse()
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.refresh()
        predict(browser)
        assert browser.find_element(By.TAG_NAME, "data").text == "11,667"
        assert focused(browser) == "answer"
        assert not [each for each in browser.find_elements(By.CLASS_NAME, "copy") if each.is_displayed()]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_what_a_number_field_cannot_read_is_not_taken_for_missing(browse):
    browser = browse()
    optional = browser.find_element(By.NAME, "bmi")
    optional.clear()
    optional.send_keys("1e", Keys.ENTER)
    assert not browser.find_elements(By.ID, "answer")
    assert focused(browser) == optional.get_attribute("id")


def test_the_copy_button_copies(browse):
    browser = browse()
    origin = browser.current_url.rstrip("/")
    allowed = {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", allowed)
    browser.find_element(By.CSS_SELECTOR, "[data-copy=curl]").click()
    status = browser.find_element(By.CSS_SELECTOR, "[role=status]")
    WebDriverWait(browser, 10).until(lambda _: status.text == "Copied")
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    assert copied == browser.find_element(By.ID, "curl").get_attribute("textContent")


def require_fit(browser, width, scheme):
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(245, 247, 248)", "dark": "rgb(16, 23, 28)"}[scheme]


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window_and_follows_the_scheme(browse, width, scheme):
    browser = browse("binary")
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        predict(browser)
        assert browser.find_element(By.ID, "answer").is_displayed()
        require_fit(browser, width, scheme)
        origin = browser.current_url.partition("#")[0]
        browser.get(f"{origin}model")
        require_fit(browser, width, scheme)
        assert browser.execute_script("return document.querySelector('img').naturalWidth") > 0
        browser.get(f"{origin}apidocs/")
        WebDriverWait(browser, 10).until(lambda _: browser.find_elements(By.CLASS_NAME, "opblock"))
        require_fit(browser, width, scheme)
        card = browser.find_element(By.CLASS_NAME, "swagger").value_of_css_property("background-color")
        assert card == {"light": "rgba(255, 255, 255, 1)", "dark": "rgba(24, 33, 40, 1)"}[scheme]
        inverted = browser.find_element(By.ID, "swagger-ui").value_of_css_property("filter").startswith("invert")
        assert inverted == (scheme == "dark")
        assert complaints(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
