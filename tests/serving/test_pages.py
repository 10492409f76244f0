import re
import shlex
from functools import partial

import numpy as np
import pytest

from page import TYPED, Page, crowded, start
from slipway.model.encoding import Encoding, Output
from slipway.serving.keys import FORM_FIELD
from slipway.table.schema import Field, Schema


@pytest.fixture
def serve(tmp_path):
    return partial(start, tmp_path)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_form_sent_as_it_comes_is_answered_like_the_api(serve, task):
    client = serve(task).test_client()
    page = Page(client.get("/").text)
    answer = client.post("/", data=page.form)
    assert answer.status_code == 200
    row = {"age": 39, "bmi": 30.4, "smoker": "no", "joined": "2022-01-01"}
    expected = client.post("/predict", json=row).json["prediction"]
    shown, text = Page(answer.text).one("data")
    assert shown["value"] == str(expected)
    assert text == (expected if isinstance(expected, str) else "11,667")


@pytest.mark.parametrize(
    ("name", "kind", "more"),
    [
        ("age", "number", {"min": "18", "max": "64", "step": "1", "required": None}),
        ("bmi", "number", {"min": "15.96", "max": "53.13", "step": "any"}),
        ("joined", "date", {"min": None, "max": None, "required": None}),
    ],
)
def test_a_control_knows_the_range(serve, name, kind, more):
    attributes, _ = Page(serve(settings="serving: {out_of_range: reject}").test_client().get("/").text).one("input", name=name)
    assert attributes["type"] == kind
    assert {key: attributes.get(key) for key in more} == more
    assert ("required" in attributes) == ("required" in more)


def test_a_range_that_only_warns_does_not_stop_the_browser(serve):
    app = serve(settings="serving: {out_of_range: warn}")
    attributes, _ = Page(app.test_client().get("/").text).one("input", name="age")
    assert "min" not in attributes and "max" not in attributes
    answer = app.test_client().post("/", data=TYPED | {"age": "90"})
    assert answer.status_code == 200
    assert "age: a number outside the range" in Page(answer.text).one("ul", class_="warnings")[1]


def test_a_hint_says_what_training_saw(serve):
    fields = (
        Field("age", "integer", minimum=18, maximum=64, missing=0, example=40),
        Field("year", "integer", minimum=1990, maximum=2024, missing=0, example=2000),
        Field("loan", "number", minimum=0, maximum=300_000, missing=0, example=5_000),
        Field("member", "integer", minimum=0, maximum=1, missing=0, example=1),
    )
    encoding = Encoding(Schema(fields), tuple(Output("value", field.name, fill=0.0) for field in fields))
    changes = {"schema": Schema(fields), "encoding": encoding, "rows": [{field.name: field.example for field in fields}]}
    app = serve(weights=np.ones((4, 1)), settings="serving: {out_of_range: near}\nlimits: {age: [18, 64]}", **changes)
    hints = [text for _, text in Page(app.test_client().get("/").text).all("p", class_="hint")][:4]
    assert hints == ["18 to 64", "training saw 1990 to 2024", "training saw 0 to 300,000", "training saw 0 or 1"]


def test_the_heading_is_the_purpose_if_there_is_one(serve):
    assert Page(serve().test_client().get("/").text).one("h1")[1].strip() == "Predict charges"
    app = serve(settings="purpose: How much will a patient cost?")
    assert Page(app.test_client().get("/").text).one("h1")[1] == "How much will a patient cost?"


def test_the_explanation_says_which_mean_it_starts_from(serve):
    text = " ".join(Page(serve().test_client().post("/", data=TYPED).text).one("section", id="answer")[1].split())
    assert re.search(r"the mean over a sample of \d+ held-out rows?, is [\d,]+\. Each field", text), text
    assert re.search(r"Together the fields move it to [\d,]+\.", text)


def test_every_control_has_a_label(serve):
    page = Page(serve().test_client().get("/").text)
    labels = page.labels()
    assert {labels[each["id"]] for each, _ in page.all("input", type="number")} == {"age", "bmi optional"}
    assert [text.strip() for _, text in page.all("legend")] == ["smoker"]
    assert [text.strip() for _, text in page.all("label") if text.strip() in ("no", "yes")] == ["no", "yes"]


@pytest.mark.parametrize(
    ("name", "typed", "sent"),
    [
        ("age", "", None),
        ("age", "nineteen", "nineteen"),
        ("age", "19.5", 19.5),
        ("age", "1_9", "1_9"),
        ("age", "9" * 5000, "1e400"),
        ("bmi", "1e999", "1e999"),
        ("bmi", "154", 154),
        ("smoker", "<b>maybe</b>", "<b>maybe</b>"),
        ("smoker", "", None),
        ("joined", "2021-02-30", "2021-02-30"),
    ],
)
def test_a_mistake_is_named_at_its_field_and_in_the_summary(serve, name, typed, sent):
    app = serve()
    row = {"age": 45, "bmi": 33.3, "smoker": "no", "joined": "2021-11-05", name: sent}
    row = {field: value for field, value in row.items() if value is not None}
    says = app.test_client().post("/predict", json=row).json["errors"][0]["detail"]
    answer = app.test_client().post("/", data=TYPED | {name: typed})
    assert answer.status_code == 422
    page = Page(answer.text)
    kept = {field: page.form.get(field, "") for field in TYPED}  # no radio button is chosen: nothing is sent
    assert kept == TYPED | {name: typed}
    summary, _ = page.one("section", id="answer")
    assert summary["tabindex"] == "-1" and summary["role"] == "alert"
    link, text = page.one("a", href=None, **{"class": "to-field"})
    assert text == f"{name}: {says}"
    wrong = next(attributes for _, attributes, _ in page.elements if attributes.get("aria-invalid"))
    error, shown = page.one("p", class_="error")
    assert shown == f"Error: {says}"
    assert error["id"] in wrong["aria-describedby"].split()
    targets = {f"#{attributes['id']}": attributes for _, attributes, _ in page.elements if "id" in attributes}
    assert targets[link["href"]]["name"] == name
    assert page.one("title")[1].startswith("Error: ")


def test_several_mistakes_are_listed_at_once(serve):
    page = Page(serve().test_client().post("/", data={"bmi": "a", "colour": "red"}).text)
    listed = [text.split(":")[0] for _, text in page.all("li") if ":" in text]
    assert listed == ["age", "bmi", "smoker", "joined", "colour"]


def test_an_optional_field_may_stay_empty(serve):
    client = serve().test_client()
    page = Page(client.post("/", data=TYPED | {"bmi": " "}).text)
    without = client.post("/predict", json={"age": 45, "smoker": "no", "joined": "2021-11-05"}).json
    assert page.one("data")[0]["value"] == str(without["prediction"])
    assert "bmi missing" in [" ".join(text.split()) for _, text in page.all("th", scope="row")]


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_contributions_lead_from_the_usual_answer_to_this_one(serve, task):
    page = Page(serve(task).test_client().post("/", data=TYPED).text)
    start, *amounts, end = [_read(text) for _, text in page.all("td", class_="amount")][-6:]
    assert len(amounts) == 4
    rounding = 0.5 if task == "regression" else 0.05
    assert start + sum(amounts) == pytest.approx(end, abs=6 * rounding)
    assert any(abs(amount) > 10 * rounding for amount in amounts)


def _read(text):
    return float(text.replace(",", "").replace("−", "-").removesuffix("%").strip("\N{NO-BREAK SPACE}"))


def test_bars_are_drawn_to_scale_within_their_chart(serve):
    page = Page(serve().test_client().post("/", data=TYPED).text)
    bars = [each for each, _ in page.all("rect", class_="rises") + page.all("rect", class_="falls")]
    assert len(bars) == 4
    for bar in bars:
        assert 0 <= float(bar["x"]) and float(bar["x"]) + float(bar["width"]) <= 100.01
    assert max(float(bar["width"]) for bar in bars) > 50


def test_many_fields_are_grouped_and_open_where_something_is_wrong(serve):
    client = crowded(serve).test_client()
    page = Page(client.get("/").text)
    assert len(page.form) == 170
    assert ["open" in each for each, _ in page.all("details", class_="group")] == [True] + [False] * 8
    answer = client.post("/", data=page.form | {"s069": "-50"})
    assert answer.status_code == 422
    opened = ["open" in each for each, _ in Page(answer.text).all("details", class_="group")]
    assert opened == [True, False, False, True] + [False] * 5
    page = Page(client.post("/", data=page.form).text)
    names = [" ".join(text.split()) for _, text in page.all("th", scope="row")]
    assert len(names) == 13
    assert names[0] == "Usual answer" and names[-2:] == ["160 other fields", "This answer"]


def test_with_keys_only_callers_that_have_one_are_answered(serve):
    client = serve(keys="first,second").test_client()
    page = Page(client.get("/").text)
    assert page.one("input", type="password")[0]["name"] == FORM_FIELD
    assert "X-API-Key: YOUR-KEY" in shlex.split(page.one("pre", id="curl")[1])
    for key, status in (("", 401), ("thirdé", 401), ("first", 200), ("second ", 200)):
        answer = client.post("/", data=TYPED | {FORM_FIELD: key})
        assert answer.status_code == status
        page = Page(answer.text)
        assert len(page.all("p", id="api-key-error")) == (status == 401)
        assert len(page.all("data")) == (status == 200)
        assert page.form == TYPED | {FORM_FIELD: ""}, "a key is never sent back"
    assert client.post("/", data=TYPED | {"age": "x"}).status_code == 401, "the row is not looked at"
