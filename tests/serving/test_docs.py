import json
import re
from types import SimpleNamespace

import hypothesis.strategies as some
import pytest
from hypothesis import assume, given
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import SWAGGER_20_VALIDATOR

from bundles import SCHEMA
from slipway.sections import Serving
from slipway.serving.decoder import Decoder
from slipway.serving.definitions import row_schema
from slipway.serving.refusal import Refusal
from slipway.table.formats import number
from slipway.table.rules import Rules
from slipway.table.schema import Field, Schema
from specification import definition, row_of


def described(schema: Schema, policy: str):
    """The decoder of a schema, and its row as the specification has it, with null where the extension allows it."""
    rules = Rules(schema, Serving(unknown_levels=policy, out_of_range=policy))
    document = json.loads(json.dumps(row_schema(SimpleNamespace(rules=rules, schema=schema, ids=()))))
    return Decoder(rules, 100), row_of(document)


def taken(decoder: Decoder, row) -> bool:
    try:
        decoder.decode(json.dumps(row).encode())
    except Refusal as refused:
        assert refused.status in (400, 422)
        return False
    return True


NASTY = Schema(
    (
        Field("a/b~c", "number", minimum=-0.5, maximum=1e9, example=1.0),
        Field("class", "integer", minimum=-3, maximum=3, missing=0.5),
        Field('say "x" \\', "category", levels=("Größe", "a b", "nul"), missing=0.1, example="Größe"),
        Field(" ", "category", levels=("1", "true"), example="1"),
    )
)
PAIRS = {
    (name, policy): described(schema, policy)
    for name, schema in [("plain", SCHEMA), ("nasty", NASTY)]
    for policy in ("reject", "warn")
}
NUMBERS = some.integers(-100, 100) | some.floats(allow_nan=False, allow_infinity=False) | some.just(10**30)
ANYTHING = NUMBERS | some.none() | some.booleans() | some.text(max_size=4) | some.just([]) | some.just({})


def values(field: Field):
    """Mostly such as the field has, and a bit beyond."""
    if field.type == "category":
        return some.sampled_from([*field.levels, "other"])
    if field.type == "date":
        return some.dates().map(str) | some.sampled_from(["2021-02-29", "21-01-01", "2021-1-1", ""])
    low, high = int(field.minimum), int(field.maximum)
    near = some.integers(low - 2, high + 2) | some.floats(low - 2, high + 2)
    return near | some.sampled_from([field.minimum, field.maximum])


@pytest.mark.parametrize("name, policy", PAIRS)
@given(data=some.data())
def test_the_specification_and_the_decoder_agree(name, policy, data):
    decoder, validator = PAIRS[name, policy]
    row = {}
    for rule in decoder.rules:
        field = rule.field
        if data.draw(some.integers(0, 9)):
            row[field.name] = data.draw(values(field) if data.draw(some.integers(0, 5)) else ANYTHING)
    if not data.draw(some.integers(0, 9)):
        row[data.draw(some.text(max_size=3))] = 1
    dates = [row.get(rule.field.name) for rule in decoder.rules if rule.field.type == "date"]
    assume(not any(isinstance(date, str) and "T" in date for date in dates))  # the decoder takes times of day too
    assert taken(decoder, row) == validator.is_valid(canonical(decoder.rules, row)), row


def canonical(rules: Rules, row: dict) -> dict:
    """The row as the specification has it, where a cell may also be what a CSV says: numbers and null as text."""
    found = dict(row)
    for rule in rules:
        cell = row.get(rule.field.name)
        if rule.field.type == "category" and cell in rule.field.levels or isinstance(cell, (list, dict)):
            continue
        text = rule.reader.text(cell)
        value = number(text) if text and rule.is_number else text
        if rule.field.name in row:
            found[rule.field.name] = text if value != value else value
        if value is None and rule.field.optional:
            found.pop(rule.field.name, None)
    return found


@pytest.mark.parametrize("name, policy", PAIRS)
@given(row=some.none() | some.booleans() | some.integers() | some.text() | some.lists(some.integers(), min_size=1))
def test_what_is_no_row_is_none_for_both(name, policy, row):
    decoder, validator = PAIRS[name, policy]
    assert not taken(decoder, row) and not validator.is_valid(row)


def test_the_page_names_the_pages_to_read(serve):
    page = serve("regression").test_client().get("/apidocs/").text
    assert '<a href="/model">/model</a>' in page and '<a href="/report">/report</a>' in page


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("keys", ["", "key"])
@pytest.mark.parametrize("policy", ["reject", "warn"])
def test_the_specification_is_valid_swagger_2(serve, task, keys, policy):
    policies = f"unknown_levels: {policy}, out_of_range: {policy}"
    client = serve(task, policies, {"SLIPWAY_API_KEYS": keys}).test_client()
    document = client.get("/apispec.json").json
    SWAGGER_20_VALIDATOR.validate(document)
    assert set(document["paths"]) == {"/predict", "/predict/file", "/what-if", "/healthz", "/readyz", "/metrics"}
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert call["summary"] and call["tags"]
            guarded = bool(keys) and path in ("/predict", "/predict/file", "/what-if", "/metrics")
            assert ("security" in call, "401" in call["responses"]) == (guarded, guarded)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_examples_answer_as_they_stand(serve, task):
    client = serve(task).test_client()
    document = client.get("/apispec.json").json
    definitions = document["definitions"]
    answer = client.post("/predict", json=definitions["Row"]["example"])
    assert answer.status_code == 200
    said = document["paths"]["/predict"]["post"]["responses"]["200"]
    assert answer.json == said["examples"]["application/json"]
    assert client.post("/predict", json=[definitions["Row"]["example"]]).status_code == 200
    table = document["paths"]["/predict/file"]["post"]["parameters"][0]["schema"]["example"]
    answer = client.post("/predict/file", data=table, content_type="text/csv")
    assert answer.status_code == 200
    assert answer.text.splitlines()[1].split(",")[-1] == "", "the example row has an error"
    for path in ("/healthz", "/readyz"):
        expected = document["paths"][path]["get"]["responses"]["200"]["examples"]["application/json"]
        assert client.get(path).json == expected


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_answers_and_problems_are_as_described(serve, task):
    client = serve(task, "out_of_range: warn").test_client()
    document = client.get("/apispec.json").json
    row = document["definitions"]["Row"]["example"]
    for call, body, name in [
        ("/predict", row, "Answer"),
        ("/predict", row | {"age": 99}, "Answer"),
        ("/predict", [row] * 3, "Answers"),
        ("/predict", [row, row | {"age": 99}], "Answers"),
        ("/predict?partial=true", [row, row | {"age": "x"}], "Answers"),
        ("/predict?partial=true", [{}, {"\x00b9": False, "": None}, 7], "Answers"),
        ("/predict?partial=true", row, "Answer"),
        ("/predict", row | {"age": "x"}, "Problem"),
        ("/predict", [7], "Problem"),
        ("/predict", [], "Problem"),
    ]:
        answer = client.post(call, json=body).json
        definition(document, name).validate(answer)
        assert set(answer) <= set(document["definitions"][name]["properties"])


def test_every_status_is_described(serve):
    document = serve(environ={"SLIPWAY_API_KEYS": "key"}).test_client().get("/apispec.json").json
    for path in ("/predict", "/predict/file"):
        assert set(document["paths"][path]["post"]["responses"]) >= {"200", "400", "401", "413", "415", "422"}


def test_predictions_come_first_and_fields_are_in_the_order_of_the_table(client):
    document = client.get("/apispec.json").json
    assert list(document["paths"]) == ["/predict", "/predict/file", "/what-if", "/healthz", "/readyz", "/metrics"]
    assert list(document["definitions"]["Row"]["properties"]) == list(SCHEMA.names)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_every_problem_has_an_example_where_swagger_ui_looks(serve, task):
    document = serve(task, environ={"SLIPWAY_API_KEYS": "key"}).test_client().get("/apispec.json").json
    for calls in document["paths"].values():
        for call in calls.values():
            for status, answer in call["responses"].items():
                if status != "200":
                    assert answer["schema"]["example"]["status"] == int(status)


def test_the_example_of_a_refusal_is_what_a_wrong_row_is_answered(client):
    document = client.get("/apispec.json").json
    row = document["definitions"]["Row"]["example"] | {SCHEMA.names[0]: True}
    example = document["paths"]["/predict"]["post"]["responses"]["422"]["schema"]["example"]
    assert client.post("/predict", json=row).json == example


def test_an_empty_table_is_not_valid(client):
    document = client.get("/apispec.json").json
    table = Draft202012Validator(document["paths"]["/predict/file"]["post"]["parameters"][0]["schema"])
    for text in ("", "\n", " \r\n"):
        assert not table.is_valid(text)
        assert client.post("/predict/file", data=text, content_type="text/csv").status_code == 422
    assert table.is_valid("a,b\n")


@pytest.mark.parametrize("path", ["/apidocs", "/docs"])
def test_where_the_documentation_is_elsewhere_leads_to_it(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (308, "/apidocs/")


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/apidocs/")
    assert page.status_code == 200
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page.text)
    loaded = re.findall(r"""(?:src|href)=["'](/[^"'#]+)""", page.text)
    assert any("swagger-ui" in address for address in loaded)
    for address in loaded:
        with client.get(address) as answer:
            assert answer.status_code == 200, address
    assert not re.search(r"<script(?![^>]*src=)[^>]*>\s*\S", page.text), "an inline script, which the policy forbids"
    assert " style=" not in page.text and "<style" not in page.text
