"""The form's way in a real browser: each task, by keyboard, without JavaScript, on a phone and on a desk."""

from contextlib import contextmanager

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from page import crowded
from servers import DEADLINE

pytestmark = pytest.mark.browser

# The next status of the page, which is gone after two seconds.
HEAR = """
  const status = document.querySelector("[role=status]");
  window.heard = new Promise((hear) => {
    new MutationObserver(() => hear(status.textContent)).observe(status, {childList: true});
  });
"""
ANSWERS = {"regression": "36,167", "binary": "Y", "multiclass": "a"}


@contextmanager
def next_page(browser):
    """Wait until what is done inside has brought another page."""
    browser.execute_script("window.isOld = true")
    yield
    # Between two pages the driver has no document to ask, which it reports in several ways.
    patient = WebDriverWait(browser, DEADLINE, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
    arrived = "return !window.isOld && document.readyState === 'complete'"
    patient.until(lambda _: browser.execute_script(arrived))


def predict(browser):
    with next_page(browser):
        browser.find_element(By.XPATH, "//button[text()='Predict']").click()


def wait(browser, found):
    """Until `found` says so of the page; the page changes by itself."""
    return WebDriverWait(browser, DEADLINE, poll_frequency=0.05, ignored_exceptions=[WebDriverException]).until(found)


def answered(browser):
    return browser.find_element(By.TAG_NAME, "data").text


def write(browser, name, text):
    field = browser.find_element(By.NAME, name)
    field.clear()
    field.send_keys(text)
    return field


def press(browser, *keys):
    """Type where the focus is."""
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def focused(browser):
    return browser.switch_to.active_element.get_attribute("id")


def complaints(browser):
    """What the browser's console says, except hints on style and that an answer had the status of an error."""
    found = [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "DEBUG"]
    return [message for message in found if "status of 4" not in message]


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
    assert answered(browser) == "11,667", "still the one to the typical row"
    assert focused(browser) == optional.get_attribute("id")


def test_the_copy_button_copies(browse):
    browser = browse()
    origin = browser.current_url.rstrip("/")
    allowed = {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", allowed)
    browser.execute_script(HEAR)
    browser.find_element(By.CSS_SELECTOR, "[data-copy=curl]").click()
    assert browser.execute_async_script("heard.then(arguments[0])") == "Copied"
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    assert copied == browser.find_element(By.ID, "curl").get_attribute("textContent")


def test_the_answer_and_the_curves_follow_what_is_typed(browse):
    browser = browse()
    curve = "return document.querySelector('#field-1-curve polyline').getAttribute('points')"
    before = browser.execute_script(curve)
    age = write(browser, "age", "45")
    wait(browser, lambda _: answered(browser) == "13,167")
    browser.find_element(By.XPATH, "//label[normalize-space()='yes']").click()
    wait(browser, lambda _: answered(browser) == "36,167")
    assert browser.execute_script(curve) != before
    assert '"age": 45' in browser.find_element(By.ID, "curl").text
    said = browser.find_element(By.CSS_SELECTOR, "[role=status]").get_attribute("textContent")
    assert said.startswith("charges 36,167 Between ")
    assert age.get_attribute("value") == "45" and complaints(browser) == []


def test_a_mistake_is_told_at_its_field_while_the_last_answer_stays(browse):
    browser = browse()
    age = write(browser, "age", "999")
    wait(browser, lambda _: age.get_attribute("aria-invalid"))
    note = browser.find_element(By.ID, "note")
    assert note.text.startswith("Not updated. age: expected ") and answered(browser) == "11,667"
    error = browser.find_element(By.ID, "field-0-error")
    assert error.is_displayed() and error.get_attribute("id") in age.get_attribute("aria-describedby")
    write(browser, "age", "45")
    wait(browser, lambda _: answered(browser) == "13,167")
    assert not note.is_displayed() and age.get_attribute("aria-invalid") is None
    assert not browser.find_elements(By.ID, "field-0-error")


def test_a_click_on_a_curve_takes_its_value(browse):
    browser = browse()
    drawing = browser.find_element(By.CSS_SELECTOR, "#field-0-curve svg")
    corner = ActionChains(browser).move_to_element_with_offset(drawing, drawing.size["width"] // 2 - 1, 0)
    corner.perform()
    assert browser.find_element(By.CSS_SELECTOR, "#field-0-curve figcaption").text == "64: 17,917"
    corner.click().perform()
    wait(browser, lambda _: answered(browser) == "17,917")
    assert browser.find_element(By.NAME, "age").get_attribute("value") == "64"
    levels = browser.find_element(By.CSS_SELECTOR, "#field-2-curve svg")
    ActionChains(browser).move_to_element_with_offset(levels, levels.size["width"] // 4, 0).click().perform()
    wait(browser, lambda _: answered(browser) == "40,917")
    assert browser.find_element(By.CSS_SELECTOR, "[name=smoker]:checked").get_attribute("value") == "yes"


def test_of_many_fields_those_that_come_into_view_get_curves(browse):
    browser = browse(made=crowded)
    group = browser.find_elements(By.CSS_SELECTOR, "details.group")[2]
    assert not group.find_elements(By.CSS_SELECTOR, "polyline")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", group)
    group.find_element(By.TAG_NAME, "summary").click()
    wait(browser, lambda _: group.find_elements(By.CSS_SELECTOR, "polyline"))
    assert complaints(browser) == []


def test_the_key_stays_for_the_tab_and_nowhere_else(browse):
    browser = browse(keys="first")
    assert not browser.find_elements(By.TAG_NAME, "data")
    browser.find_element(By.ID, "api-key").send_keys("wrong")
    wait(browser, lambda _: browser.find_element(By.ID, "note").text.startswith("Not updated. API key: "))
    browser.find_element(By.ID, "api-key").clear()
    browser.find_element(By.ID, "api-key").send_keys("first")
    wait(browser, lambda _: answered(browser) == "11,667")
    browser.refresh()
    wait(browser, lambda _: answered(browser) == "11,667")
    assert browser.execute_script("return [localStorage.length, document.cookie, location.search]") == [0, "", ""]
    first, address = browser.current_window_handle, browser.current_url
    browser.switch_to.new_window("tab")
    try:
        browser.get(address)
        assert browser.find_element(By.ID, "api-key").get_attribute("value") == ""
    finally:
        browser.close()
        browser.switch_to.window(first)


TABLE = 'age,bmi,smoker,joined,note\n45,33.3,no,2021-11-05,"a\nb"\n999,33.3,no,2021-11-05,\n40,,yes,2021-11-05,x\n'


def test_a_table_is_answered_shown_and_offered(browse, tmp_path):
    browser = browse(keys="first")
    browser.find_element(By.ID, "api-key").send_keys("first")
    (tmp_path / "patients.csv").write_text(TABLE)
    browser.find_element(By.ID, "table-file").send_keys(str(tmp_path / "patients.csv"))
    browser.find_element(By.XPATH, "//button[text()='Predict the table']").click()
    link = wait(browser, lambda _: browser.find_element(By.LINK_TEXT, "Download the predictions"))
    said = browser.find_element(By.ID, "upload-result")
    assert "2 of 3 rows predicted, 1 refused." in said.text and "Row 2: age: expected " in said.text
    names = [each.text for each in said.find_elements(By.CSS_SELECTOR, "thead th")]
    assert names == ["age", "bmi", "smoker", "prediction", "warning", "error"]
    rows = [
        [cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in said.find_elements(By.CSS_SELECTOR, "tbody tr")
    ]
    assert [row[0] for row in rows] == ["45", "999", "40"] and rows[0][3].startswith("13253") and rows[1][3] == ""
    assert link.get_attribute("download") == "patients-predictions.csv"
    assert complaints(browser) == []


def test_a_dropped_table_is_taken_and_its_mistakes_are_told(browse):
    browser = browse()
    drop = """
      const file = new File([arguments[0]], "table.csv");
      const carried = new DataTransfer();
      carried.items.add(file);
      document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
    """
    browser.execute_script(drop, "age,bmi\n1,2\n")
    problem = wait(browser, lambda _: browser.find_element(By.CSS_SELECTOR, "#upload-result .summary"))
    assert "The header lacks required columns." in problem.text and "smoker: the table has no such column" in problem.text
    browser.execute_script(drop, TABLE)
    wait(browser, lambda _: "2 of 3 rows predicted" in browser.find_element(By.ID, "upload-result").text)
    assert complaints(browser) == []


def test_a_table_beyond_the_limit_is_not_sent(browse):
    browser = browse(settings="serving: {max_upload_bytes: 1024}")
    browser.execute_script(
        "const carried = new DataTransfer(); carried.items.add(new File(['x'.repeat(2000)], 'large.csv'));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: carried, bubbles: true, cancelable: true}))"
    )
    assert "large.csv has 2 KiB; the limit is 1 KiB" in browser.find_element(By.ID, "upload-result").text


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
        assert browser.find_element(By.CSS_SELECTOR, "main svg").size["width"] > 0
        browser.get(f"{origin}report")
        require_fit(browser, width, scheme)
        browser.get(f"{origin}apidocs/")
        WebDriverWait(browser, DEADLINE).until(lambda _: browser.find_elements(By.CLASS_NAME, "opblock"))
        require_fit(browser, width, scheme)
        card = browser.find_element(By.CLASS_NAME, "swagger").value_of_css_property("background-color")
        assert card == {"light": "rgba(255, 255, 255, 1)", "dark": "rgba(24, 33, 40, 1)"}[scheme]
        inverted = browser.find_element(By.ID, "swagger-ui").value_of_css_property("filter").startswith("invert")
        assert inverted == (scheme == "dark")
        assert complaints(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
