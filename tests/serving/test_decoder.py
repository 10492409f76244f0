import json
import tracemalloc
from decimal import Decimal

import hypothesis.strategies as some
import numpy as np
import pytest
from hypothesis import given

from bundles import ROWS, SCHEMA
from slipway.sections import Serving
from slipway.serving import decoder as decoder_module
from slipway.serving.decoder import Decoder, is_single, parse
from slipway.serving.refusal import Refusal
from slipway.table.rules import Rules
from slipway.table.schema import MISSING, UNSEEN, Field, Schema

ROW = ROWS[0]


def serving(levels="reject", ranges="reject", rows=100) -> Serving:
    return Serving(unknown_levels=levels, out_of_range=ranges, max_rows=rows)


def decoder_of(schema, policies: Serving, known=()) -> Decoder:
    return Decoder(Rules(schema, policies), policies.max_rows, known)


STRICT = decoder_of(SCHEMA, serving())
LENIENT = decoder_of(SCHEMA, serving("warn", "warn"))


def decode(content: bytes, decoder: Decoder = STRICT):
    decoded = decoder.decode(content)
    return decoded.columns, decoder.warnings(decoded, decoder.rules.unlike(decoded.columns), None)


def body(document) -> bytes:
    return json.dumps(document).encode()


def refusal(content: bytes, decoder: Decoder = STRICT) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decoder.decode(content)
    return caught.value


def test_rows_become_typed_columns():
    columns, warnings = decode(body(ROWS))
    assert columns["age"].tolist() == [19, 62, 45, 33]
    assert np.isnan(columns["bmi"]).tolist() == [False, True, False, False]
    assert columns["smoker"].tolist() == [1, 0, 0, 1]
    assert columns["joined"].tolist()[0] == 18262
    assert list(columns) == list(SCHEMA.names)
    assert warnings == []


@pytest.mark.parametrize(
    "text",
    [
        '{"age": 19.0, "bmi": 20, "smoker": "no", "joined": "2020-01-01"}',
        '\ufeff {"age": 1.9e1, "bmi": null, "smoker": "no", "joined": "2020-01-01T00:00:00Z"}\n',
        '[{"age": 19, "smoker": "no", "joined": "2020-01-01"}]',
        '{"age": "x", "age": 19, "smoker": "maybe", "smoker": "no", "joined": "2020-01-01"}',
        '{"\\u0061ge": 19, "smoker": "n\\u006f", "joined": "2020-01-01"}',
        '{"age": 19, "smoker": "no", "joined": "2031-01-01"}',
    ],
)
def test_these_are_valid(text):
    columns, _ = decode(text.encode())
    assert columns["age"].tolist() == [19]
    assert columns["smoker"].tolist() == [0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"\xef\xbb\xbf",
        b"{",
        b'{"age": 19',
        b"[1, 2",
        b"{'age': 19}",
        b'{"age": 01}',
        b'{"age": +1}',
        b'{"age": .5}',
        b'{"age": 1}}',
        b"\xff\xfe{\x00}\x00",
        b'{"smoker": "\xff"}',
        b"nonsense",
        b'{"smoker": "a\nb"}',
        b'{"age": 0x10}',
        b"\x00",
    ],
)
def test_what_is_not_json_is_refused_with_400(content):
    assert refusal(content).status == 400


@pytest.mark.parametrize("content", [b"[" * 50_000, b'{"a":' * 50_000, b"[" * 50_000 + b"]" * 50_000])
def test_what_is_nested_too_deeply_is_refused_with_400(content):
    assert refusal(content, decoder_of(SCHEMA, serving(rows=50_000))).status == 400


@pytest.mark.parametrize("content", [b"19", b'"age"', b"null", b"true", b"[]", b"NaN", b"[[]]", b"[null]", b"[19]"])
def test_what_is_no_row_is_refused_with_422(content):
    assert refusal(content).status == 422


@pytest.mark.parametrize(
    "field, value, reason, says",
    [
        ("age", "nineteen", "type", "is text; expected an integer from 18 to 64"),
        ("age", "19.5", "type", "has a fraction; expected an integer from 18 to 64"),
        ("age", "17", "out_of_range", "expected an integer from 18 to 64, the range seen in training"),
        ("age", "NA", "missing", "is missing; expected an integer from 18 to 64"),
        ("age", "1e400", "not_finite", "is not a finite number; expected an integer from 18 to 64"),
        ("age", 19.5, "type", "has a fraction; expected an integer from 18 to 64"),
        ("age", True, "type", "is true or false; expected an integer from 18 to 64"),
        ("age", [19], "type", "is a list; expected an integer from 18 to 64"),
        ("age", {"age": 19}, "type", "is an object; expected an integer from 18 to 64"),
        ("age", None, "missing", "is missing; expected an integer from 18 to 64"),
        ("age", 17, "out_of_range", "expected an integer from 18 to 64, the range seen in training"),
        ("age", 10**400, "not_finite", "is not a finite number; expected an integer from 18 to 64"),
        ("bmi", float("-inf"), "not_finite", "is not a finite number; expected a number from 15.96 to 53.13, or null"),
        ("bmi", 53.14, "out_of_range", "expected a number from 15.96 to 53.13, the range seen in training"),
        ("bmi", -1e308, "out_of_range", "expected a number from 15.96 to 53.13, the range seen in training"),
        ("bmi", "unknown", "type", "is text; expected a number from 15.96 to 53.13, or null"),
        ("smoker", "No", "unseen_level", 'expected one of "no", "yes"'),
        ("smoker", "", "missing", 'is missing; expected one of "no", "yes"'),
        ("smoker", "\ud800", "type", 'contains a lone surrogate; expected one of "no", "yes"'),
        ("smoker", False, "unseen_level", 'expected one of "no", "yes"'),
        ("smoker", 1, "unseen_level", 'expected one of "no", "yes"'),
        ("smoker", ["no"], "type", 'is a list; expected one of "no", "yes"'),
        ("smoker", float("nan"), "missing", 'is missing; expected one of "no", "yes"'),
        ("joined", "2021-02-30", "type", "expected a date such as 2026-01-31 or 2026-01-31T08:30:00"),
        ("joined", "20210201", "type", "expected a date such as 2026-01-31 or 2026-01-31T08:30:00"),
        ("joined", "2021-W01-1", "type", "expected a date such as 2026-01-31 or 2026-01-31T08:30:00"),
        ("joined", "0001-01-01T00:00:00+14:00", "type", "expected a date such as 2026-01-31 or 2026-01-31T08:30:00"),
        ("joined", 18262, "type", "is a number; expected a date such as 2026-01-31 or 2026-01-31T08:30:00"),
        ("height", 1.8, "unknown_field", "there is no such field"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(field, value, reason, says):
    refused = refusal(body([ROW, ROW | {field: value}]))
    assert refused.status == 422
    assert [problem.to_json() for problem in refused.problems] == [
        {"row": 2, "field": field, "reason": reason, "detail": says},
    ]
    assert refused.counts == {f"{'' if reason == 'unknown_field' else field}/{reason}": 1}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "9" * 900_000, "-Infinity"])
def test_numbers_beyond_double_precision_are_named(number):
    refused = refusal(body(ROW).replace(b"27.9", number.encode()))
    assert [(problem.field, problem.reason) for problem in refused.problems] == [("bmi", "not_finite")]


def test_every_wrong_row_and_field_is_named():
    refused = refusal(body([{}, ROW | {"age": "x", "bmi": "x"}, ROW, 7]))
    assert [(problem.row, problem.field, problem.reason) for problem in refused.problems] == [
        (1, "age", "missing"),
        (1, "smoker", "missing"),
        (1, "joined", "missing"),
        (2, "age", "type"),
        (2, "bmi", "type"),
        (4, None, "type"),
    ]


def test_a_hundred_problems_are_listed_and_all_are_counted():
    refused = refusal(body([{}] * 90))
    assert len(refused.problems) == 100
    assert refused.counts == {"age/missing": 90, "smoker/missing": 90, "joined/missing": 90}


def test_names_from_the_request_are_short_and_valid_utf_8():
    refused = refusal(body(ROW | {"x" * 5000: 1, "\ud800": 1}))
    assert [problem.field for problem in refused.problems] == ["x" * 100 + "…", "?"]


def test_more_rows_than_allowed_are_refused():
    assert len(decode(body([ROW] * 100))[0]["age"]) == 100
    assert refusal(body([ROW] * 101)).status == 413
    assert refusal(body([{}] * 101)).status == 413


def refuse_parsing(*_):
    raise AssertionError("all of it was parsed")


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b"[]," * 101 + b"[]]",
        b"[" + b"{}," * 100 + b"{}]",
        b"[" + b"1," * 500 + b"1]",
        b"[" * 200,
        b'{"a":' * 200,
        b"{" + b",".join(b'"%d":1' % number for number in range(500)) + b"}",
        b'{"age": [' + b"1," * 500 + b"1]}",
        b"[" + body(ROW | {"smoker": 'a\\"b'}) + b",{}" * 500 + b"]",
    ],
)
@pytest.mark.parametrize("decoder", [STRICT, LENIENT], ids=["reject", "warn"])
def test_more_than_the_rows_of_a_call_hold_is_refused_before_it_is_parsed(monkeypatch, decoder, content):
    monkeypatch.setattr(decoder._fast, "decode", refuse_parsing)
    monkeypatch.setattr(decoder_module, "parse", refuse_parsing)
    refused = refusal(content, decoder)
    assert (refused.status, refused.detail) == (413, "Expected at most 100 rows of 4 fields in one call.")


@pytest.mark.parametrize("text", ["," * 9_000, "{[" * 9_000, '\\"' * 9_000, "\\", '",{"' * 9_000])
def test_signs_within_texts_are_no_rows(text):
    assert decode(body([ROW | {"smoker": text}] * 100), LENIENT)[1]


@pytest.mark.parametrize("content", [b'"' + b'\\"' * 500_000 + b"\\", b"{" * 200 + b'\\"' * 500_000, b'"' * 999_999])
def test_texts_without_an_end_are_refused_at_once(content):
    assert refusal(content).status in (400, 413)


def test_unknown_fields_are_counted_and_the_first_are_named():
    refused = refusal(body([ROW | {"a": 1}, ROW | dict.fromkeys(map(str, range(120)))]))
    assert [problem.field for problem in refused.problems] == ["a", *map(str, range(99))]
    assert refused.counts == {"/unknown_field": 121}  # no name that a client invented


def test_what_is_unlike_training_is_answered_with_a_warning_when_the_policy_says_so():
    columns, warnings = decode(body([ROW, ROW | {"age": 70, "smoker": "perhaps"}]), LENIENT)
    assert columns["smoker"].tolist() == [1, UNSEEN]
    assert [warning.to_json() for warning in warnings] == [
        {
            "row": 2,
            "field": "age",
            "reason": "out_of_range",
            "detail": "a number outside the range seen in training, 18 to 64",
        },
        {"row": 2, "field": "smoker", "reason": "unseen_level", "detail": "a level that training never saw"},
    ]


@pytest.mark.parametrize("level", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_a_lone_surrogate_is_not_text(level):
    [problem] = refusal(body(ROW | {"smoker": level}), LENIENT).problems
    assert (problem.reason, problem.detail) == ("type", "contains a lone surrogate; expected text")
    assert decode(body(ROW | {"smoker": "\U0001f6a2"}), LENIENT)[0]["smoker"].tolist() == [UNSEEN]


def test_a_date_after_training_is_answered_with_a_warning_always():
    _, warnings = decode(body(ROW | {"joined": "2031-01-01"}))
    assert [(warning.field, warning.reason) for warning in warnings] == [("joined", "out_of_range")]


@pytest.mark.parametrize("content, single", [(b" {}", True), (b"\xef\xbb\xbf\n{", True), (b"[{}]", False)])
def test_one_object_is_told_from_a_list(content, single):
    assert is_single(content) is single


@pytest.mark.parametrize(
    "name",
    [
        "row",
        "class",
        "a b",
        "1",
        "",
        "Größe",
        "it's",
        'say "x"',
        "a\\b",
        "tab\there",
        "f0",
        "__init__",
    ],
)
def test_any_name_of_a_field_is_possible(name):
    fields = Field(name, "number", minimum=0, maximum=9), Field("f1", "category", levels=("a",))
    decoder = decoder_of(Schema(fields), serving())
    columns, _ = decode(body({name: 5, "f1": "a"}), decoder)
    assert columns[name].tolist() == [5]
    assert refusal(body({name: 10, "f1": "a"}), decoder).problems[0].field == name


def test_many_fields():
    schema = Schema(tuple(Field(f"x{place}", "number", minimum=-1, maximum=1) for place in range(170)))
    columns, _ = decode(body([dict.fromkeys(schema.names, 0.5)] * 3), decoder_of(schema, serving()))
    assert all(column.tolist() == [0.5] * 3 for column in columns.values())


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
VALUES = JSON | some.integers(10, 70) | some.floats(10, 60) | some.sampled_from(["yes", "no", "2021-01-01", "2021"])
ALMOST_ROWS = some.fixed_dictionaries(
    {
        "age": VALUES | some.integers(18, 64),
        "smoker": VALUES | some.just("no"),
        "joined": VALUES | some.just("2021-05-05"),
    },
    optional={"bmi": VALUES, "other": VALUES},
)
DOCUMENTS = JSON | ALMOST_ROWS | some.lists(ALMOST_ROWS, max_size=3)


def outcome(decode, content: bytes):
    try:
        return {name: repr(column.tolist()) for name, column in decode(content).items()}
    except Refusal as refused:
        assert refused.status in (400, 413, 422)
        return refused.status


@given(some.binary(max_size=60) | some.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_decoded_or_refused(content):
    outcome(lambda given: STRICT.decode(given).columns, content)


@pytest.mark.parametrize("decoder", [STRICT, LENIENT], ids=["reject", "warn"])
@given(document=DOCUMENTS)
def test_the_fast_way_agrees_with_the_thorough_one(decoder, document):
    content = json.dumps(document).encode()
    fast = decoder._fast.decode(content, decoder.max_rows)
    thorough = outcome(lambda given: decoder._thorough(given, False).columns, content)
    if fast is not None:
        assert {name: repr(column.tolist()) for name, column in fast[0].items()} == thorough
    assert outcome(lambda given: decoder.decode(given).columns, content) == thorough


OPEN = Decoder(Rules(Schema((Field("x", "number"), Field("y", "integer", missing=0.1))), serving()), 10, ids=("id",))


@pytest.mark.parametrize("decoder", [STRICT, LENIENT, OPEN], ids=["reject", "warn", "no range"])
@given(data=some.data())
def test_parsed_rows_are_read_alike_the_fast_way_and_the_thorough_one(decoder, data):
    cells = some.floats() | some.none() | some.integers(-3, 3) | some.text(some.characters(), max_size=1)
    of_open = some.fixed_dictionaries({"x": cells}, optional={"y": cells, "id": cells})
    rows = data.draw(some.lists(of_open if decoder is OPEN else ALMOST_ROWS, min_size=1, max_size=3))
    content = json.dumps(rows).encode()
    assert outcome(lambda _: decoder.decode_rows(rows).columns, content) == outcome(
        lambda _: decoder._walked(rows, False).columns, content
    )


@pytest.mark.parametrize("rows", [[ROW], [ROW, ROW | {"age": 19.0}], [ROW | {"bmi": None}]])
def test_parsed_rows_that_are_valid_are_taken_the_fast_way(monkeypatch, rows):
    monkeypatch.setattr(Decoder, "_walked", lambda *_: pytest.fail("read one by one"))
    assert STRICT.decode_rows(rows).count == STRICT.decode_columns(columns_of(rows)).count == len(rows)


@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e999"])
def test_an_infinite_number_of_a_field_without_a_range_is_refused(name, number):
    with pytest.raises(Refusal) as caught:
        OPEN.decode_rows(parse(b'[{"x": 1, "%s": %s}]' % (name.encode(), number.encode())))
    assert caught.value.counts == {f"{name}/not_finite": 1}


def test_nan_of_a_field_without_a_range_is_missing():
    decoded = OPEN.decode_rows([{"x": 1, "y": float("nan")}])
    assert np.isnan(decoded.columns["y"]).all() and decoded.objects
    with pytest.raises(Refusal) as caught:
        OPEN.decode_rows([{"x": float("nan")}])
    assert caught.value.counts == {"x/missing": 1}


@pytest.mark.parametrize("cell", ["\ud800", Decimal("1.5"), [1], b"1"], ids=["half a pair", "decimal", "list", "bytes"])
def test_what_cannot_name_a_row_is_no_id(cell):
    assert OPEN.ids(OPEN.decode_rows([{"x": 1, "id": "a"}])) == [{"id": "a"}]
    with pytest.raises(Refusal) as caught:
        OPEN.decode_rows([{"x": 1, "id": cell}])
    assert caught.value.counts == {"id/type": 1}


def test_a_name_with_half_of_a_surrogate_pair_is_no_field():
    with pytest.raises(Refusal) as caught:
        OPEN.decode_rows([{"x": 1, "\ud800": 1}])
    assert caught.value.counts == {"/unknown_field": 1}


NUMBERS = ["1", "-0", "1.0", "1e400", "1e-400", "9" * 100, "9" * 101, "9" * 400, f"-{'1' * 5_000}", "9" * 19, "NaN"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_a_document_keep_up_to_100_digits(number):
    expected = int(number) if number.lstrip("-").isdigit() and len(number) <= 100 else float(number)
    found = parse(f'{{"a": [{number}]}}'.encode())["a"][0]
    assert repr(found) == repr(expected)


@given(JSON)
def test_any_document_is_parsed_as_pythons_parser_does(document):
    content = json.dumps(document)
    assert repr(parse(content.encode())) == repr(json.loads(content))


@given(some.data())
def test_the_fast_way_takes_what_is_valid(data):
    row = data.draw(
        some.fixed_dictionaries(
            {
                "age": some.integers(18, 64) | some.integers(18, 64).map(float),
                "smoker": some.sampled_from(["no", "yes"]),
                "joined": some.dates().map(str),
            },
            optional={"bmi": some.none() | some.floats(15.96, 53.13)},
        )
    )
    assert STRICT._fast.decode(body(row), 100) is not None
    assert STRICT._fast.decode(body([row, row]), 100) is not None


def test_warnings_of_a_partial_answer_name_the_rows_of_the_request():
    rows = [ROW, ROW | {"age": "old"}, ROW | {"age": 70, "charges": 5}]
    decoder = decoder_of(SCHEMA, serving(ranges="warn"), known=["charges", "id"])
    decoded = decoder.decode(body(rows), partial=True)
    assert {row: [problem.reason for problem in wrong] for row, wrong in decoded.wrong.items()} == {1: ["type"]}
    chosen = np.array([0, 2])
    unlike = decoder.rules.unlike({name: column[chosen] for name, column in decoded.columns.items()})
    assert [(each.row, each.field, each.reason) for each in decoder.warnings(decoded, unlike, chosen)] == [
        (None, "charges", "ignored"),
        (3, "age", "out_of_range"),
    ]


@pytest.mark.parametrize("partial", [True, False])
def test_what_is_wrong_with_all_of_a_large_call_takes_bounded_memory(partial):
    schema = Schema(tuple(Field(f"x{place}", "number", minimum=-1, maximum=1) for place in range(40)))
    decoder = decoder_of(schema, serving(rows=10_000))
    tracemalloc.start()
    try:
        decoded = decoder.decode(body([{}] * 10_000), partial)
        assert all(len(wrong) == 10 for wrong in decoded.wrong.values())
    except Refusal as refused:
        assert len(refused.problems) == 100 and set(refused.counts.values()) == {10_000} and len(refused.counts) == 40
    assert tracemalloc.get_traced_memory()[1] < 40_000_000
    tracemalloc.stop()


def test_a_marker_named_after_the_training_is_missing_at_once():
    fields = Field("d", "date", missing=0.1, markers=("1900-01-01",)), Field("c", "category", levels=("a", "x"), missing=0.1)
    decoder = Decoder(Rules(Schema(fields), serving(), {}, {"d": ("1900-01-01",), "c": ("x",)}.__getitem__), 10)
    columns, _ = decode(body([{"d": "1900-01-01", "c": "x"}, {"d": "2020-01-01", "c": "a"}]), decoder)
    assert np.isnan(columns["d"]).tolist() == [True, False] and columns["c"].tolist() == [MISSING, 0]


def test_a_long_integer_is_the_level_that_it_says():
    decoder = decoder_of(Schema((Field("c", "category", levels=("1234567890123456768", "1234567890123456789")),)), serving())
    assert decode(b'{"c": 1234567890123456789}', decoder)[0]["c"].tolist() == [1]


WIDE = Schema(tuple(Field(f"x{place}", "number", minimum=-1, maximum=1, missing=0.1) for place in range(300)))
FORMS = {
    "rows": lambda rows: {"dataframe_records": rows},
    "table": lambda rows: {"columns": [*rows[0]], "index": [*range(len(rows))], "data": [[*row.values()] for row in rows]},
    "columns": lambda rows: {"inputs": columns_of(rows)},
    "tensors": lambda rows: {
        "inputs": [
            {
                "name": name,
                "shape": [len(rows), 1],
                "datatype": "FP64",
                "parameters": {"kind": []},
                "data": [[cell] for cell in cells],
            }
            for name, cells in columns_of(rows).items()
        ],
        "outputs": [{"name": f"probability_{label}", "parameters": {}} for label in range(300)],
    },
}


def columns_of(rows) -> dict[str, list]:
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("schema, row", [(WIDE, dict.fromkeys(WIDE.names, 0.5)), (SCHEMA, ROW)], ids=["wide", "narrow"])
@pytest.mark.parametrize("form", FORMS)
def test_a_document_may_hold_the_largest_number_of_rows_in_any_form(form, schema, row):
    decoder = decoder_of(schema, serving(rows=50))
    document = FORMS[form]([row] * 50)
    assert decoder.document(body(document)) == document


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 8_000_000,
        b'{"":' * 2_000_000,
        b"[{}" + b",{}" * 2_000_000,
        b"[[]" + b",[]" * 2_000_000,
        b"[0" + b",0" * 4_000_000,
    ],
)
def test_a_document_of_more_than_rows_can_have_is_refused_before_it_is_parsed(monkeypatch, content):
    monkeypatch.setattr(decoder_module, "parse", lambda body: pytest.fail("parsed"))
    with pytest.raises(Refusal) as caught:
        decoder_of(SCHEMA, serving(rows=10_000)).document(content)
    assert caught.value.status == 413


def test_signs_in_the_texts_of_a_document_do_not_count():
    document = {"inputs": {"smoker": ['[{,\\"' * 10_000]}}
    assert STRICT.document(b"\xef\xbb\xbf" + body(document)) == document


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"NaN,"])
def test_a_document_that_is_not_json_is_refused_with_400(content):
    with pytest.raises(Refusal) as caught:
        STRICT.document(content)
    assert caught.value.status == 400


@pytest.mark.parametrize("rows", [ROWS, [ROW | {"bmi": float("nan")}], [ROW | {"age": "19"}]])
def test_rows_and_columns_that_are_parsed_are_read_as_those_of_a_body(rows):
    expected = STRICT.decode(body(rows)).columns
    for decoded in (STRICT.decode_rows(rows), STRICT.decode_columns(columns_of(rows))):
        assert decoded.count == len(rows) and list(decoded.columns) == list(expected)
        assert all(np.array_equal(decoded.columns[name], expected[name], equal_nan=True) for name in expected)


@pytest.mark.parametrize("read", [lambda rows: STRICT.decode_rows(rows), lambda rows: STRICT.decode_columns(columns_of(rows))])
def test_one_row_more_than_is_permitted_is_refused_with_413(read):
    assert read([ROW] * 100).count == 100
    with pytest.raises(Refusal) as caught:
        read([ROW] * 101)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "read", [STRICT.decode_rows, lambda rows: STRICT.decode_columns({}), lambda rows: STRICT.decode_columns({"age": []})]
)
def test_no_row_at_all_is_refused_with_422(read):
    with pytest.raises(Refusal, match="at least one row") as caught:
        read([])
    assert caught.value.status == 422


def test_too_many_cells_of_a_column_are_not_made_rows(monkeypatch):
    monkeypatch.setattr(Decoder, "decode_rows", lambda *_: pytest.fail("made rows"))
    with pytest.raises(Refusal, match="at most 100 rows"):
        STRICT.decode_columns({"age": [19] * 101})
