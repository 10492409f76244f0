"""The form answers at once, shows how the answer moves, and starts from rows of the table."""

import json
from functools import partial

import pytest
from flask.testing import FlaskClient

from bundles import ROWS
from page import TYPED, Page, crowded, start
from slipway.serving.keys import FORM_FIELD
from slipway.serving.pages import CURVES, EXAMPLE

LIMITED = "limits: {age: [40, 60]}\n"


@pytest.fixture
def serve(tmp_path):
    return partial(start, tmp_path)


class Reader(FlaskClient):
    """A client that reads an answer to its end, which is when it is counted."""

    def open(self, *args, **kwargs):
        return super().open(*args, buffered=True, **kwargs)


def reader(app):
    app.test_client_class = Reader
    return app.test_client()


def counted(client, name):
    """The sum of a counter, over all its labels."""
    lines = client.get("/metrics", headers={"X-API-Key": "first"}).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}_total"))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_page_opens_with_the_answer_to_a_typical_row(serve, task):
    client = reader(serve(task))
    page = Page(client.get("/").text)
    row = {"age": 39, "bmi": 30.4, "smoker": "no", "joined": "2022-01-01"}
    assert counted(client, "slipway_rows_predicted") == 0, "nobody asked for it"
    assert page.one("data")[0]["value"] == str(client.post("/predict", json=row).json["prediction"])


def test_where_a_key_is_needed_the_page_opens_without_an_answer(serve):
    client = serve(keys="first").test_client()
    page = Page(client.get("/").text)
    assert not page.all("data") and not drawn(page)
    assert [text for _, text in page.all("button", name=EXAMPLE)] == ["Row 1", "Row 2", "Row 3", "Row 4"]
    for address in ("/", "/preview"):
        assert client.post(address, data=TYPED).status_code == 401
        assert client.post(address, data=TYPED | {FORM_FIELD: "first"}).status_code == 200


def test_a_typical_row_that_is_not_answered_leaves_the_form(serve):
    client = serve(settings=LIMITED).test_client()
    answer = client.get("/")
    page = Page(answer.text)
    assert answer.status_code == 200 and page.form["age"] == "39"
    assert not page.all("data") and not page.all("section", id="answer")


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_under_each_field_is_how_the_answer_moves_with_it(serve, task):
    client = serve(task).test_client()
    for answer in (client.get("/"), client.post("/", data=TYPED)):
        page = Page(answer.text)
        figures = list(drawn(page).values())
        assert len(figures) == 4
        lines = [[tuple(map(float, point.split(","))) for point in each["points"].split()] for each, _ in page.all("polyline")]
        assert len(lines) == 3 and [len(line) for line in lines] == [len(each) for each in figures if len(each) > 2]
        for line in lines:
            xs, ys = zip(*line)
            assert (xs[0], xs[-1]) == (0, 100) and list(xs) == sorted(xs)
            assert all(3 <= y <= 27 for y in ys)
        assert len(page.all("path", class_="dot")) == 3 and len(page.all("path", class_="dash")) == 1


def drawn(page):
    """Number of the field → points of its curve."""
    figures = page.all("figure", data_points=None)
    return {int(each["id"].split("-")[1]): json.loads(each["data-points"]) for each, _ in figures}


def test_a_point_of_a_curve_is_what_the_api_answers(serve):
    client = serve().test_client()
    page = Page(client.post("/", data=TYPED).text)
    points = drawn(page)
    first, (level, says) = points[0][0], points[2][1]
    row = {"age": 45, "bmi": 33.3, "smoker": "no", "joined": "2021-11-05"}
    assert first[0] == "18" and level == "yes"
    for value, shown in ((row | {"age": 18}, first[1]), (row | {"smoker": "yes"}, says)):
        assert f"{client.post('/predict', json=value).json['prediction']:,.0f}" == shown
    caption = page.all("figcaption")[2][1]
    assert caption.startswith("no 13,") and f"yes {says}" in caption
    label = page.all("svg", role="img")[0][0]["aria-label"]
    assert label.startswith("charges by age. 18: ") and "; 45: " in label and "; 64: " in label


def test_a_field_without_an_effect_says_so(serve):
    page = Page(serve(weights=[[0.0], [30.0], [0.0], [1.0]]).test_client().get("/").text)
    captions = [text for _, text in page.all("figcaption")]
    assert captions[0].endswith(" for every value") and captions[2].endswith(" for every level")


def test_a_preview_is_the_same_page_and_no_prediction(serve):
    client = reader(serve(settings="serving: {out_of_range: warn}\n"))
    unlike = TYPED | {"age": "90"}
    preview = Page(client.post("/preview", data=unlike).text)
    assert client.post("/preview", data=TYPED | {"age": "x"}).status_code == 422
    for name in ("slipway_rows_predicted", "slipway_fields_warned", "slipway_fields_rejected"):
        assert counted(client, name) == 0
    page = Page(client.post("/", data=unlike).text)
    assert preview.one("data") == page.one("data")
    assert counted(client, "slipway_rows_predicted") == 1 and counted(client, "slipway_fields_warned") == 1


def test_of_many_fields_those_in_view_have_curves(serve):
    client = crowded(serve).test_client()
    page = Page(client.get("/").text)
    assert list(drawn(page)) == list(range(12)), "the most important"
    page = Page(client.post("/preview", data=page.form | {CURVES: "3 40 169 170 x " + "9" * 5_000}).text)
    assert list(drawn(page)) == [*range(12), 40, 169], "with the most important, for the scale"


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_click_on_a_row_of_the_table_fills_the_form_and_answers(serve, task):
    client = reader(serve(task))
    page = Page(client.get("/").text)
    golden = json.loads(client.application.extensions["slipway"].bundle.read("golden.json"))
    seen = []
    for attributes, text in page.all("button", name=EXAMPLE):
        place = int(attributes["value"])
        answered = Page(client.post("/", data=page.form | {EXAMPLE: attributes["value"]}).text)
        row = {name: "" if value is None else str(value) for name, value in ROWS[place].items()}
        assert answered.form == row
        assert answered.one("data")[0]["value"] == str(golden["predictions"][place]["prediction"])
        assert answered.one("data")[1] in text
        seen.append(place)
    assert sorted(seen) == [0, 1, 2, 3]
    assert counted(client, "slipway_rows_predicted") == 0, "they were answered before"


@pytest.mark.parametrize("place", ["99", "-1", "x", "²", pytest.param("9" * 5_000, id="5,000 digits")])
def test_a_row_that_is_not_there_is_passed_over(serve, place):
    client = serve().test_client()
    page = Page(client.post("/", data=TYPED | {EXAMPLE: place}).text)
    assert page.form == TYPED


def test_enter_asks_for_the_prediction_of_what_was_typed(serve):
    """A browser then presses the first button of the form."""
    buttons = [each for each, _ in Page(serve().test_client().get("/").text).all("button", type="submit")]
    assert "name" not in buttons[0] and buttons[0]["tabindex"] == "-1"


def test_the_form_says_where_the_truth_lies_in_most_cases(serve):
    client = serve().test_client()
    answer = client.post("/predict?interval=0.9", json={"age": 39, "bmi": 30.4, "smoker": "no", "joined": "2022-01-01"}).json
    says = Page(client.get("/").text).one("p", class_="between")[1]
    assert says == f"Between {answer['low']:,.0f} and {answer['high']:,.0f} in 9 of 10 cases.".replace("-", "−")


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_without_intervals_the_form_says_nothing_of_them(serve, task):
    app = serve(task)
    app.extensions["slipway"].intervals = None
    assert not Page(app.test_client().get("/").text).all("p", class_="between")


def test_a_table_can_be_sent_without_javascript_where_no_key_is_needed(serve):
    page = Page(serve().test_client().get("/").text)
    form = page.one("form", class_="upload")[0]
    assert (form["action"], form["method"], form["enctype"]) == ("/predict/file", "post", "multipart/form-data")
    assert page.one("input", type="file")[0]["name"] == "file"
    assert "up to 100 MiB" in page.one("label", for_="table-file")[1]
    guarded = Page(serve(keys="first").test_client().get("/").text)
    assert "hidden" in guarded.one("section", class_="whole")[0], "a browser alone cannot send the key with it"
