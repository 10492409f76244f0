"""One nasty table through every way into Slipway: the same columns, the same rejects, the same answers to the last bit."""

import csv
import io
import itertools
import json
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from pyarrow import parquet

from bundles import make_bundle
from conftest import Client
from mongo import collection, serve_mongo
from slipway.batch.open import open_batch
from slipway.batch.run import run
from slipway.errors import TableError
from slipway.model.encoding import Encoding, Output
from slipway.model.predictor import Predictor
from slipway.model.tables import score_batch
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.sources.loading import load
from slipway.sources.source import open_location
from slipway.store.local import LocalStore
from slipway.table.arrow_cells import read_column
from slipway.table.cells import cells_of, read_columns, read_frame_column
from slipway.table.rules import Rules
from slipway.table.schema import Feature, Field, Schema

SCHEMA = Schema(
    (
        Field("age", "integer", minimum=18, maximum=64, example=39),
        Field(
            "price",
            "number",
            minimum=-10,
            maximum=8123.45,
            missing=0.1,
            example=12.5,
            format="1.234,56 €",
            markers=("unbekannt", "-999"),
        ),
        Field("dose", "number", minimum=0.001, maximum=9.5, missing=0.2, example=1.5),
        Field("smoker", "category", levels=("no", "true", "yes"), example="no"),
        Field("code", "category", levels=("01023", "1", "2.5"), missing=0.1, example="1"),
        Field("joined", "date", minimum=18262, maximum=19722.5, example="2022-01-01", format="31.12.2024"),
        Field("seen", "date", minimum=18262, maximum=19722.5, missing=0.1, example="2022-01-01"),
    )
)
ENCODING = Encoding(
    SCHEMA,
    (
        Output("value", "age"),
        Output("value", "price", fill=30.0),
        Output("value", "dose", fill=1.0),
        Output("level", "smoker", levels=("yes",)),
        Output("level", "code", levels=("1",)),
        Output("value", "joined"),
        Output("value", "seen", fill=0.0),
        Output("rank", "code", levels=("1", "2.5"), values=(3.0, 5.0), other=7.0, fill=2.0),
        Output("value", "dose for age", fill=0.5),
        Output("level", "band", levels=("below 0", "100 or more")),
        Output("hour", "seen", fill=12.0),
    ),
    features=(
        Feature("dose for age", "dose / (age - 33)"),
        Feature("band", "bin(price, 0, 100)"),
    ),
)
WEIGHTS = [[0.3], [1e-3], [0.7], [23.0], [11.0], [1e-4], [1e-5], [0.9], [2.5], [1.1], [0.05]]
GOLDEN = {"age": 19, "price": 27.9, "dose": 1.5, "smoker": "yes", "code": "1", "joined": "2020-01-01", "seen": "2020-01-01"}

NUMBERS = [
    "19",
    "62",
    "19.0",
    " 33 ",
    "+20",
    "1_9",
    "1e1",
    "1e400",
    "nan",
    "inf",
    "-Infinity",
    "0x1f",
    "٣٣",
    "-0",
    ".5",
    "20.",
    "17",
    "64.5",
    "-1",
    "-28",
    "110",
    "111",
    "-28.5",
    "9" * 400,
    "\u22125",
    "1.234",
    "1.5",
    '"19"',
    ' "19"',
    "19 ",
    "19,0",
]
PRICES = [
    "8.123,45",
    "8.123,45 €",
    "€ 12",
    "-12,5",
    "\u221212,5",
    "1.234",
    "1.23",
    "12.5",
    "12,5 $",
    "1.234.567",
    "12 %",
    "-999",
    "-999,0",
    "unbekannt",
    " Unbekannt ",
    "16256,9",
    "-8143,45",
    "8.123,45€",
    "1\u202f234",
    "0,001",
]
TEXTS = [
    "yes",
    "no",
    " yes",
    "Yes",
    "TRUE",
    "true",
    "maybe",
    '"yes"',
    ' "yes" ',
    "01023",
    "1",
    "1.0",
    "2.5",
    "2.50",
    "",
    "NA",
    "?",
    "None",
]
DATES = [
    "31.12.2021",
    "1.2.2021",
    "31.02.2021",
    "2021-12-31",
    "2021-12-31T08:30:00.5",
    "31.12.2021 08:30",
    "12/31/2021",
    "2021-12-31T23:00:00Z",
    "2031-01-01",
    "01.01.1970",
    "2021-12-31 08:30:05.123456",
    "20211231",
]
CELL = some.sampled_from(NUMBERS + PRICES + TEXTS + DATES) | some.text(
    some.characters(codec="utf-8", exclude_characters="\0"), max_size=4
)
GOOD = ("19", "27,9", "1.5", "yes", "1", "31.12.2021", "2021-12-31")
ROW = some.one_of(
    some.tuples(
        some.sampled_from(NUMBERS),
        some.sampled_from(PRICES),
        some.sampled_from(NUMBERS),
        some.sampled_from(TEXTS),
        some.sampled_from(TEXTS),
        some.sampled_from(DATES),
        some.sampled_from(DATES),
    ),
    some.lists(CELL, min_size=7, max_size=7).map(tuple),
    some.tuples(
        *(
            some.sampled_from([good, good, *odd])
            for good, odd in zip(GOOD, (NUMBERS, PRICES, NUMBERS, TEXTS, TEXTS, DATES, DATES))
        )
    ),
)
Answered = list[tuple[float | None, str]]  # per row the prediction, or the reason why there is none


@pytest.fixture(scope="module")
def server():
    with serve_mongo() as url:
        yield url


@pytest.fixture(scope="module", params=["near", "warn"])
def house(tmp_path_factory, request):
    """A folder with a champion, its problem, a client of the service and the predictor."""
    folder = tmp_path_factory.mktemp("house")
    make_bundle(
        LocalStore(folder / "artifacts"), "regression", schema=SCHEMA, encoding=ENCODING, rows=[GOLDEN], weights=WEIGHTS
    )
    text = "name: regression\nsource: table.csv\ntarget: charges\nformats: {price: '1.234,56 €', joined: 31.12.2024}\n"
    levels = "warn" if request.param == "warn" else "reject"
    text += f"serving: {{out_of_range: {request.param}, unknown_levels: {levels}, cache_seconds: 60}}\n"
    text += "limits: {age: [-5, 120]}\ntypes: {code: category, smoker: category}\n"
    text += "missing: {seen: ['1900-01-01']}\nmongodb: {database: none, collection: none}\n"
    (folder / "slipway.yaml").write_text(text, encoding="utf-8")
    problem = load_problem(folder / "slipway.yaml", environ={})
    app = build(problem, {})
    app.test_client_class = Client
    return folder, problem, app.test_client(), Predictor(LocalStore(folder / "artifacts").champion())


def csv_text(rows, separator: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([SCHEMA.names, *rows])
    return text.getvalue()


def by_predict(house, location: str) -> Answered:
    """`slipway predict` of a place."""
    folder, problem, _, _ = house
    mark = run(open_batch(problem, location, str(folder / "out.csv"), None, False, None), lambda mark, says: None)
    with open(folder / "out.csv", newline="", encoding="utf-8") as file:
        answers = iter([float(row["prediction"]) for row in csv.DictReader(file, delimiter=_separator(folder / "out.csv"))])
    with open(folder / "out.rejects.csv", newline="", encoding="utf-8") as file:
        reasons = {int(row["row"]): row["reason"] for row in csv.DictReader(file)}
    return [(None, reasons[row]) if row in reasons else (next(answers), "") for row in range(1, mark.rows + 1)]


def _separator(path: Path) -> str:
    first = path.read_text(encoding="utf-8").split("\n")[0]
    return max(",;\t|", key=first.count)


def by_upload(client, text: str, separator: str) -> Answered:
    answer = client.post("/predict/file", data=text.encode(), content_type="text/csv")
    assert answer.status_code == 200, answer.text
    rows = csv.DictReader(io.StringIO(answer.text, newline=""), delimiter=separator)
    return [(float(row["prediction"]) if row["prediction"] else None, row["error"]) for row in rows]


def by_json(client, rows) -> Answered:
    answer = client.post("/predict?partial=true", data=json.dumps(rows), content_type="application/json")
    assert answer.status_code == 200, answer.text
    return [(each["prediction"], _reasons(each)) for each in answer.json["predictions"]]


def _reasons(answer) -> str:
    problems = answer.get("errors", [])
    return "; ".join(f"{one['field']}: {one['detail']}" if one["field"] else one["detail"] for one in problems)


def by_query(client, rows) -> Answered:
    answers = [client.get(f"/predict?{urlencode(row)}") for row in rows]
    assert {answer.status_code for answer in answers} <= {200, 422}
    return [(answer.json.get("prediction"), _reasons(answer.json)) for answer in answers]


def by_table(house, table) -> Answered:
    _, problem, _, predictor = house
    scored = score_batch(predictor, table, problem)
    if isinstance(scored, pyarrow.Table):
        scored = scored.to_pylist()
    if isinstance(scored, pd.DataFrame):
        scored = scored.astype(object).where(scored.notna(), None).to_dict("records")
    return [(row["prediction"], row["reason"]) for row in scored]


def by_collection(house, server: str, path: Path, monkeypatch) -> Answered:
    """`slipway load`, then `slipway predict` from the collection."""
    _, problem, _, _ = house
    from msgspec.structs import replace

    with collection(server) as made:
        monkeypatch.setenv("MONGO_DB_URL", server)
        numbered = path.with_name("numbered.csv")
        with open(path, newline="", encoding="utf-8") as file:
            separator = _separator(path)
            header, *rows = csv.reader(file, delimiter=separator)
        with open(numbered, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=separator).writerows(
                [["place", *header], *([f"p{n:06}", *row] for n, row in enumerate(rows))]
            )
        load(
            open_location(str(numbered), Path()),
            made,
            ["place"],
            problem,
            lambda done, total: None,
        )
        settings = replace(problem.mongodb, database=made.database.name, collection=made.name)
        there = replace(problem, mongodb=settings)
        return by_predict((house[0], there, *house[2:]), f"mongodb:{made.name}")


def test_every_door_refuses_a_negative_number_where_training_saw_none(house):
    folder, problem, client, _ = house
    row = dict(zip(SCHEMA.names, GOOD)) | {"dose": "-1"}
    text = csv_text([tuple(row.values())], ";")
    (folder / "in.csv").write_text(text, encoding="utf-8", newline="")
    answered = by_json(client, [row])
    if problem.serving.out_of_range == "warn":
        assert answered[0][1] == ""
    else:
        assert answered == [(None, "dose: expected a number from 0 to 18.999; training saw 0.001 to 9.5")]
    assert by_upload(client, text, ";") == by_query(client, [row]) == answered
    assert by_predict(house, str(folder / "in.csv")) == by_table(house, [row]) == answered


@given(rows=some.lists(ROW, min_size=1, max_size=12), separator=some.sampled_from([",", ";"]))
@example(rows=[GOOD], separator=";")
@example(rows=[("19", "27,9", "1.5", "yes", "1.0", "31.12.2021", "1900-01-01")], separator=";")
@settings(max_examples=30)
def test_every_door_reads_and_answers_alike(house, server, rows, separator):
    folder, problem, client, predictor = house
    text = csv_text(rows, separator)
    path = folder / "in.csv"
    path.write_text(text, encoding="utf-8", newline="")
    records = [dict(zip(SCHEMA.names, row)) for row in rows]
    answered = by_json(client, records)
    assert by_upload(client, text, separator) == answered
    assert by_query(client, records) == answered
    assert by_predict(house, str(path)) == answered
    assert by_table(house, pd.DataFrame(records, dtype=str)) == answered
    assert by_table(house, pyarrow.Table.from_pylist(records)) == answered
    assert by_table(house, records) == answered
    with pytest.MonkeyPatch.context() as patch:
        assert [value for value, _ in by_collection(house, server, path, patch)] == [value for value, _ in answered]

    frame = pd.DataFrame(records, dtype=str)
    good = frame[[reason == "" for _, reason in answered]].reset_index(drop=True)
    trained = read_columns(good, SCHEMA, problem.markers)
    for rule in Rules(SCHEMA, problem.serving, problem.limits, problem.markers):
        name = rule.field.name
        by_frame, wrong = read_frame_column(rule, frame[name])
        by_arrow, wrong_in_arrow = read_column(rule, pyarrow.array(frame[name].tolist(), pyarrow.string()))
        by_cells, wrong_in_cells = rule.read(frame[name].tolist())
        assert wrong == wrong_in_arrow == wrong_in_cells
        kept = [row for row in range(len(rows)) if row not in wrong]
        for column in (by_arrow, by_cells):
            np.testing.assert_array_equal(by_frame[kept], column[kept])
        answered_rows = [row for row, (_, reason) in enumerate(answered) if not reason]
        np.testing.assert_array_equal(trained[name], by_frame[answered_rows])
    if len(good):
        with np.errstate(over="ignore", invalid="ignore"):
            assert predictor.predict(trained).values == [value for value, reason in answered if not reason]


TYPED = pd.DataFrame(
    {
        "age": [19, 62, 33, 45],
        "price": [1.234, np.nan, -999.0, 8123.45],
        "dose": np.array([0.1, 9.5, np.nan, 0.3], dtype=np.float32),
        "smoker": [True, True, True, True],
        "code": [1.0, 2.5, np.nan, 1.0],
        "joined": pd.to_datetime(
            ["2021-12-31", "2021-12-31 08:30:05.123456", "2020-02-29", "2022-02-28 00:00:00.5"], format="ISO8601"
        ),
        "seen": pd.to_datetime(["2021-12-31T12:00:00.25", None, "2020-02-29", "2022-02-28"], format="ISO8601"),
    }
)
WRITTEN = [
    ("19", "1,234", "0.1", "true", "1", "31.12.2021", "2021-12-31T12:00:00.25"),
    ("62", "", "9.5", "True", "2.5", "31.12.2021 08:30:05.123456", "NA"),
    ("33", "-999", "", "TRUE", "", "29.2.2020", "2020-02-29"),
    ("45", "8.123,45 €", "0.3", "true", "1", "28.02.2022 00:00:00.5", "2022-02-28T00:00:00"),
]


def test_typed_cells_say_what_their_texts_say(house, server):
    folder, problem, client, predictor = house
    text = csv_text(WRITTEN, ";")
    (folder / "in.csv").write_text(text, encoding="utf-8", newline="")
    answered = by_upload(client, text, ";")
    assert all(reason == "" for _, reason in answered)
    parquet.write_table(pyarrow.Table.from_pandas(TYPED), folder / "typed.parquet")
    records = json.loads(
        TYPED.assign(
            joined=[each.isoformat() for each in TYPED["joined"]],
            dose=[0.1, 9.5, None, 0.3],
            seen=[None if pd.isna(each) else each.isoformat() for each in TYPED["seen"]],
        ).to_json(orient="records")
    )
    assert by_json(client, records) == answered
    assert by_predict(house, str(folder / "typed.parquet")) == answered
    assert by_table(house, TYPED) == by_table(house, pyarrow.Table.from_pandas(TYPED)) == answered
    with collection(server) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGO_DB_URL", server)
        made.insert_many(
            [
                {name: None if pd.isna(cell) else _python(name, cell) for name, cell in row.items()}
                for row in TYPED.to_dict("records")
            ]
        )
        from msgspec.structs import replace

        there = replace(problem, mongodb=replace(problem.mongodb, database=made.database.name, collection=made.name))
        found = by_predict((folder, there, client, predictor), f"mongodb:{made.name}")
    # a date of MongoDB has milliseconds
    assert [value for value, _ in found] == [pytest.approx(value, abs=1e-9) for value, _ in answered]
    assert {name: cells_of(TYPED[name]).written for name in TYPED} == dict.fromkeys(SCHEMA.names, False)


def _python(name: str, cell):
    return float(str(np.float32(cell))) if name == "dose" else cell.to_pydatetime() if isinstance(cell, datetime) else cell


def test_a_missing_column_is_named(house):
    with pytest.raises(TableError, match="the table has no column 'age', which the model needs"):
        score_batch(house[3], pd.DataFrame({"Age": [1], **dict.fromkeys(itertools.islice(SCHEMA.names, 1, None), "1")}))
