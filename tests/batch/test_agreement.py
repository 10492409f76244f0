"""A batch answers as the service does, cell by cell and word by word."""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import make_app
from slipway.batch import lines
from slipway.batch.open import open_batch
from slipway.batch.run import run
from slipway.problem import load_problem
from slipway.sections import Serving
from slipway.table import cells as training_cells
from slipway.table.arrow_cells import read_column
from slipway.table.rules import Rule, Rules
from slipway.table.schema import Field, Schema

HEADER = "id,age,bmi,smoker,joined"
NUMBERS = [
    "19",
    "62",
    "19.0",
    " 33 ",
    "+20",
    "1_9",
    "1e1",
    "2E1",
    "1e400",
    "-1e400",
    "1e-400",
    "nan",
    "inf",
    "Infinity",
    "0x1f",
    "٣٣",
    "-0",
    ".5e2",
    "20.",
    "17",
    "64.5",
    "999",
    "1e5.",
    "--5",
    "9" * 400,
    "18" + "0" * 400,
    "18.000000000000000000000000001",
    "5\x00",
]
MARKERS = ["", "NA", " na ", "N/A", "?", "-", "None", "NULL", "#N/A", "missing", "-99", " -99.0"]
LEVELS = ["yes", "no", " yes", "Yes", "TRUE", "true", "maybe", "ÿes", "no\u00a0", "ye\u200bs"]
DATES = ["2020-01-01", "2020-01-01T10:00:00Z", "2020-13-01", "2023-06-30 ", "01.02.2020", "2031-01-01", "2020-01-01T00:00"]
ODD = ['"', '""', 'a"b', '"a,b"', '"19"', '"a\nb"', '"yes"', "\r", '"x', "'", " ", '"""19"""', ' "19"', '" ""yes"" "', ' "" ']
CELLS = st.one_of(
    st.sampled_from(NUMBERS + MARKERS + LEVELS + DATES + ODD),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.floats(0, 80).map(repr),
    st.integers(10, 70).map(str),
)
GOOD = st.tuples(
    st.sampled_from(["a", '"b,c"', '"d""e"', "f g"]),
    st.integers(18, 64).map(str),
    st.sampled_from(["27.9", "", "30"]),
    st.sampled_from(["yes", "no"]),
    st.just("2020-01-01"),
).map(list)
ANY = st.one_of(GOOD, GOOD, st.lists(CELLS, min_size=5, max_size=5), st.lists(CELLS, max_size=6))
ROWS = st.lists(ANY, min_size=1, max_size=20)
PLAIN = st.lists(CELLS.filter(lambda cell: not set(cell) & set(',"\r\n')), min_size=5, max_size=5)
POLICIES = ["", "unknown_levels: warn, out_of_range: warn"]


def problem_of(folder, task, serving):
    app = make_app(folder, task, serving)
    path = folder / "slipway.yaml"
    path.write_text(path.read_text() + 'missing: ["-99", "-99.0", weiß nicht]\n')
    from slipway.serving.factory import build

    app = build(load_problem(path, environ={}), {})
    return load_problem(path, environ={}), app.test_client()


@pytest.fixture(scope="module", params=[("regression", POLICIES[0]), ("regression", POLICIES[1]), ("multiclass", POLICIES[1])])
def both(request, tmp_path_factory):
    """The folder, the problem, and a client of its service."""
    folder = tmp_path_factory.mktemp("both")
    return folder, *problem_of(folder, *request.param)


def cells_of(content: bytes, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))


@pytest.mark.parametrize(
    "taken",
    [
        ["prediction"],
        ["warning", "error"],
        ["prediction", "prediction_", "warning_"],
        ["probability_b", "probability_c_"],
    ],
)
def test_an_answer_gets_other_names_where_the_table_has_them_already(both, taken):
    compare(both, f"{HEADER},{','.join(taken)}\nx,19,27.9,yes,2020-01-01{',kept' * len(taken)}\n".encode())


def compare(both, content: bytes) -> None:
    folder, problem, client = both
    (folder / "in.csv").write_bytes(content)
    answer = client.post("/predict/file", data=content, content_type="text/csv")
    assert answer.status_code == 200, answer.text
    run(open_batch(problem, str(folder / "in.csv"), str(folder / "out.csv"), None, False, None), lambda mark, says: None)
    separator = max(",;\t|", key=content.split(b"\n")[0].decode().count)
    served = cells_of(answer.get_data(), separator)
    written = cells_of((folder / "out.csv").read_bytes(), separator)
    rejects = cells_of((folder / "out.rejects.csv").read_bytes(), ",")
    assert [name.strip() for name in written[0]] == served[0][:-1]
    assert written[1:] == [row[:-1] for row in served[1:] if not row[-1]]
    assert rejects == [["source", "row", "reason"]] + [
        [str(folder / "in.csv"), str(number), row[-1]] for number, row in enumerate(served[1:], 1) if row[-1]
    ]


@given(
    rows=ROWS,
    ends=st.lists(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n"]), min_size=20, max_size=20),
    last=st.booleans(),
    block=st.sampled_from([1 << 20, 64, 7]),
)
@settings(max_examples=80)
def test_odd_cells_and_odd_tables(both, rows, ends, last, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MOST", block)
        text = "".join(",".join(row) + end for row, end in zip(rows, ends))
        content = f"{HEADER}\n{text}{'' if last else 'x,19,20,no,2020-01-01'}"
        try:
            compare(both, content.encode())
        except Exception as error:
            if "has a header but no rows" not in str(error):
                raise


@given(rows=st.lists(PLAIN, min_size=1, max_size=30))
@settings(max_examples=80)
def test_odd_cells_in_even_tables(both, rows):
    compare(both, "".join(",".join(row) + "\n" for row in [HEADER.split(","), *rows]).encode())


def rule_of(field: Field) -> Rule:
    [rule] = Rules(Schema((field,)), Serving(unknown_levels="warn"), {field.name: (None, 60.0)})
    return rule


@pytest.mark.parametrize(
    "cells",
    [
        pyarrow.array([27.5, -999.0]),
        pyarrow.array([27, -999], pyarrow.int32()),
        pyarrow.array(["27", "-999"]),
    ],
    ids=["double", "int", "text"],
)
def test_a_number_that_means_a_missing_cell_does_so_in_a_typed_column_too(cells):
    rule = rule_of(Field("bmi", "number", (), 16.0, 53.0, 0.1, markers=("-999", "gone")))
    values, reasons = read_column(rule, cells)
    assert np.isnan(values).tolist() == [False, True] and not reasons


def test_a_number_of_32_bits_is_what_it_says_in_training_and_here():
    cells = np.array([0.1, 0.3, 20.0], dtype=np.float32)
    values, reasons = read_column(rule_of(Field("dose", "number", (), 0.1, 20.0, 0.1)), pyarrow.array(cells))
    assert values.tolist() == [0.1, 0.3, 20.0] and not reasons
    assert training_cells.cells_of(pd.Series(cells)).texts == ["0.1", "0.3", "20"]
