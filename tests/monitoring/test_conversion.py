"""Raw content becomes tables."""

from datetime import UTC, datetime

import pyarrow
import pytest

from logs import event
from slipway.errors import StoreError
from slipway.model.event import FORM, to_line
from slipway.monitoring import conversion
from slipway.monitoring.conversion import convert
from slipway.monitoring.logged_rows import joined, read_rows


def lines(*events) -> bytes:
    return b"".join(each if isinstance(each, bytes) else to_line(each) for each in events)


def cells(*rows, ids=()) -> dict[str, list]:
    return convert(lines(event("a", list(rows))), ids).rows.cells.to_pydict()


def test_a_row_has_what_is_known_of_its_call():
    made = convert(
        lines(event("a", [{"age": 3}, {"age": 4}], [0.5, 1], numbers=[0, 7], release="r1", client="c", share=0.5)), ()
    )
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    same = {"at": at, "id": "a", "release": "r1", "client": "c", "share": 0.5}
    assert made.rows.calls.to_pylist() == [same | {"number": 0, "answer": 0.5}, same | {"number": 7, "answer": 1.0}]
    assert made.rows.calls.schema.field("number").type == pyarrow.int32()
    assert made.torn == 0 and made.counted.num_rows == 0


def test_probabilities_of_several_labels_are_lists():
    made = convert(lines(event("a", [{"age": 3}], [[0.25, 0.75, 0]])), ())
    assert made.rows.calls.column("answer").to_pylist() == [[0.25, 0.75, 0.0]]


@pytest.mark.parametrize(
    "values, kept",
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        (["x", None, " y"], ["x", None, " y"]),
        ([1, "x", 0.1], ["1", "x", "0.1"]),
        ([True, False, None], ["true", "false", None]),
        ([None, None, None], [None, None, None]),
        ([2**60, 1, 1], [float(2**60), 1.0, 1.0]),
    ],
)
def test_cells_are_numbers_or_texts(values, kept):
    assert cells(*({"c": value} for value in values)) == {"c": kept}


def test_ids_are_texts_that_do_not_depend_on_how_they_are_written():
    rows = [{"patient": value} for value in (17, "17", 17.0, "017", 2**60 + 1, None)]
    assert cells(*rows, ids=["patient"]) == {"patient": ["17", "17", "17", "017", str(2**60 + 1), None]}


def test_a_column_that_only_some_rows_have_is_null_in_the_others():
    assert cells({"a": 1}, {"b": "x"}) == {"a": [1.0, None], "b": [None, "x"]}


def test_a_feature_may_be_called_like_what_is_known_of_a_call(tmp_path):
    row = {"id": 5, "date": "2020-01-01", "answer": 3, "row": 1, "a.b": 2}
    rows = convert(lines(event("a", [row])), ()).rows
    (tmp_path / "x.parquet").write_bytes(rows.to_parquet())
    read = read_rows(tmp_path / "x.parquet")
    assert read.calls.column("id").to_pylist() == ["a"]
    assert read.cells.to_pylist() == [row]
    assert read_rows(tmp_path / "x.parquet", ["a.b", "id", "none"]).cells.to_pylist() == [{"a.b": 2.0, "id": 5.0}]


def test_rows_without_any_feature_are_still_rows(tmp_path):
    rows = convert(lines(event("a", [{}, {}])), ()).rows
    (tmp_path / "x.parquet").write_bytes(rows.to_parquet())
    assert len(read_rows(tmp_path / "x.parquet")) == 2


def test_torn_lines_are_counted_and_the_others_taken():
    good = event("a", [{"age": 1}])
    half = to_line(good)[:40] + b"\n"
    odd = [event("b", [{"age": 1}], []), event("c", [{"age": 1}], numbers=[]), event("d", [{"age": [1]}]), event("e", [3])]
    odd += [event("f", [{"age": 1}], at="yesterday"), event("g", [{"age": 1}], ["x"]), b'{"v":1}\n', b"\n", b"\xff\n"]
    made = convert(lines(half, good, *odd, to_line(good)[:-9]), ())
    assert made.rows.calls.column("id").to_pylist() == ["a"]
    assert made.torn == len(odd) + 2


def test_refusals_and_warnings_are_counts_by_field_and_reason():
    made = convert(lines(event("a", [], refused={"age/missing": 2, "a/b/out of range": 1}, warned={"bmi/near": 1})), ())
    found = [tuple(row[name] for name in ("id", "kind", "field", "reason", "count")) for row in made.counted.to_pylist()]
    assert found == [
        ("a", "refused", "age", "missing", 2),
        ("a", "refused", "a/b", "out of range", 1),
        ("a", "warned", "bmi", "near", 1),
    ]
    assert made.rows is None


def test_pieces_become_one_table_of_one_type(monkeypatch):
    monkeypatch.setattr(conversion, "TOGETHER", 1)
    events = [event("a", [{"c": 1.0, "d": None}]), event("b", [{"c": "x", "d": 2}]), event("c", [{"e": "z"}])]
    rows = convert(lines(*events), ()).rows
    assert rows.cells.to_pydict() == {"c": ["1", "x", None], "d": [None, 2.0, None], "e": [None, None, "z"]}
    assert rows.calls.column("id").to_pylist() == ["a", "b", "c"]


def test_rows_of_bundles_that_answer_one_number_and_several_are_one_table():
    one, several = (convert(lines(event("a", [{"c": 1}], [answer])), ()).rows for answer in (0.5, [0.1, 0.9]))
    assert joined([one, several]).calls.column("answer").to_pylist() == [[0.5], [0.1, 0.9]]


def test_a_newer_form_is_refused_whole():
    with pytest.raises(StoreError, match=f"has form {FORM + 1}, this version reads {FORM}. Install the version that serves"):
        convert(lines(event("a", [{"age": 1}]), event("b", [{"age": 1}], v=FORM + 1)), ())


def test_what_is_json_but_no_log_is_refused():
    strange = event("a", [{"c": 1}], numbers=[2**40])
    with pytest.raises(StoreError, match="was not written by Slipway"):
        convert(lines(strange), ())
