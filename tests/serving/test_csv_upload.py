import csv
import io
import itertools
import tracemalloc

import pytest

from bundles import ROWS
from slipway.serving import csv_upload as table
from slipway.serving.refusal import Refusal

HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"


def wide(count):
    return ",".join(f"x{place}" for place in range(count))


def post(client, content, kind="text/csv"):
    data = content if isinstance(content, bytes) else content.encode()
    return client.post("/predict/file", data=data, content_type=kind)


def rows(answer, separator=","):
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), delimiter=separator))


def test_the_table_comes_back_with_predictions(client, app):
    answer = post(client, f"{HEADER}\n{GOOD}\n62,,no,2023-06-30\n")
    assert answer.text.splitlines()[0] == f"{HEADER},prediction,warning,error"
    expected = [client.post("/predict", json=row).json["prediction"] for row in ROWS[:2]]
    assert [float(row["prediction"]) for row in rows(answer)] == expected
    assert answer.headers["Slipway-Bundle"] == app.extensions["slipway"].digest


@pytest.mark.parametrize(
    "head, separator",
    [
        ("sep=;\r\nage;bmi;smoker;joined", ";"),
        ('\ufeff"SEP=;"\r\nage;bmi;smoker;joined', ";"),
        ('sep=,\r\nage,bmi, "smoker",joined,a;b;c;d;e', ","),
        ('"a,b,c,d,e";age;bmi;smoker;joined', ";"),
        ('\ufeff,age, "bmi",smoker,joined', ","),
    ],
)
def test_the_header_comes_back_as_it_stands(client, head, separator):
    cells = dict(zip(HEADER.split(","), GOOD.split(",")))
    names = head.splitlines()[-1].split(separator)
    row = separator.join(cells.get(name.strip(' "'), "") for name in names)
    answer = post(client, f"{head}\r\n{row}\r\n")
    assert answer.text == "".join(
        separator.join(line) + "\r\n"
        for line in (
            [head, "prediction", "warning", "error"],
            [row, "29589.0", "", ""],
        )
    )


def test_labels_come_with_probabilities(serve):
    answer = rows(post(serve("multiclass").test_client(), f"{HEADER}\n{GOOD}\n"))
    assert list(answer[0])[4:] == ["prediction", "probability_a", "probability_b", "probability_c", "warning", "error"]
    assert sum(float(answer[0][f"probability_{label}"]) for label in "abc") == pytest.approx(1)


@pytest.mark.parametrize(
    "content, separator",
    [
        (f"{HEADER}\r\n{GOOD}\r\n", ","),
        (f"{HEADER}\n{GOOD}", ","),
        (f"\ufeff{HEADER}\n{GOOD}\n", ","),
        ('\n"age","bmi","smoker","joined"\n\n"19","27.9","yes","2020-01-01"\n\n', ","),
        (f"{HEADER}\n{GOOD}\n".replace(",", ";"), ";"),
        (f"{HEADER}\n{GOOD}\n".replace(",", "\t"), "\t"),
        (" age , bmi,smoker ,joined\n 19, 27.9 , yes,2020-01-01 \n", ","),
        (f"{HEADER}\r{GOOD}\r", ","),
        ("joined,smoker,bmi,age,id\n2020-01-01,yes,27.9,19.0,7\n", ","),
        (f'{HEADER}\n"""19""", "27.9" ,"yes", "2020-01-01"\n', ","),
    ],
)
def test_tables_as_people_save_them(client, content, separator):
    answered = rows(post(client, content), separator)
    assert [float(row["prediction"]) for row in answered] == [pytest.approx(29589)]


@pytest.mark.parametrize("missing", ["", " ", "NA", "n/a", "?", "NaN", "null", "-"])
def test_missing_cells_are_read_as_in_training(client, missing):
    answered = rows(post(client, f"{HEADER}\n62,{missing},no,2023-06-30\n62,x,no,2023-06-30\n"))
    assert float(answered[0]["prediction"]) == client.post("/predict", json=ROWS[1]).json["prediction"]
    assert answered[1]["prediction"] == ""


def test_a_row_that_cannot_be_answered_stays_with_the_reason(client):
    content = f'{HEADER}\nold,27.9,maybe,2020-01-01\n{GOOD}\n19,27.9\n{GOOD}, "extra"\n,27.9,yes,x\n'
    answered = rows(post(client, content))
    assert [row["error"] for row in answered] == [
        'age: is text; expected an integer from 0 to 110; smoker: expected one of "no", "yes"',
        "",
        "expected 4 cells, got 2",
        "expected 4 cells, got 5; remove the blank before the quote",
        "age: is missing; expected an integer from 0 to 110; "
        "joined: expected a date such as 2026-01-31 or 2026-01-31T08:30:00",
    ]
    assert [bool(row["prediction"]) for row in answered] == [False, True, False, False, False]
    assert [row["age"] for row in answered] == ["old", "19", "19", "19", ""]


def test_warnings_have_a_column(client):
    assert rows(post(client, f"{HEADER}\n19,27.9,yes,2031-01-01\n"))[0]["warning"].startswith("joined: a date outside")


def test_an_answer_that_is_not_finite_is_an_error_of_its_row(serve):
    client = serve(serving="out_of_range: warn", weights=[[1e10], [1e10], [1.0], [1.0]]).test_client()
    answered = rows(post(client, f"{HEADER}\n1e308,20,no,2020-01-01\n{GOOD}\n"))
    assert "no finite answer" in answered[0]["error"] and not answered[0]["prediction"]
    assert not answered[1]["error"] and answered[1]["prediction"]


@pytest.mark.parametrize(
    "content, status, says",
    [
        (b"", 422, "The table is empty"),
        (b"\n\n", 422, "The table is empty"),
        (b"\xff\xfea\x00", 422, "not UTF-8"),
        (b"age,bmi\n1,2\n", 422, "header"),
        (b"age,bmi,smoker,joined,age\n", 422, "Duplicate column name 'age'"),
        (HEADER.encode() + b",note,note\n", 422, "Duplicate column name 'note'"),
        (HEADER.encode() + b",\n", 422, "Column 5 of the header has no name"),
        (HEADER.encode() + b"\n\xff", 422, "not UTF-8"),
        (HEADER.encode() + b"," + b"x" * 140_000 + b"\n", 422, "The header has a cell of more than 131072 characters"),
        (b"\n" * 1001 + HEADER.encode() + b"\n", 422, "The first 1000 lines are blank"),
        (b"\r\n" * 200_000, 422, "The first 1000 lines are blank"),
        (f"{HEADER},{wide(16_381)}\n".encode(), 422, "16385 columns; expected at most 16384"),
        (b"x" * 1_200_000, 422, "a line of more than 1048576 bytes"),
        (HEADER.encode() + b"\n" + b"1," * 600_000 + b"\n", 422, "a line of more than 1048576 bytes"),
        (HEADER.encode() + b"\r" + b"1," * 600_000, 422, "a line of more than 1048576 bytes"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_anything_is_answered(client, content, status, says):
    answer = post(client, content)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert says in answer.json["detail"]


def test_lines_of_up_to_a_mebibyte_are_taken(client):
    long = f"{'x' * 100_000}," * 10
    answered = rows(post(client, f"{wide(10)},{HEADER}\n" + f"{long}{GOOD}\n" * 3))
    assert [row["prediction"] for row in answered] == ["29589.0"] * 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_skipped(client, end):
    assert len(rows(post(client, end * 1000 + HEADER + end * 3 + f"{GOOD}{end * 5}" * 2))) == 2


def test_missing_columns_are_named(client):
    assert [error["field"] for error in post(client, "age,bmi\n").json["errors"]] == ["smoker", "joined"]


@pytest.mark.parametrize("kind", ["application/json", "", "text/plain", "text/csv; charset=latin-1"])
def test_another_content_type_is_refused(client, kind):
    assert post(client, HEADER, kind).status_code == 415


def test_a_form_with_a_file_is_taken(client):
    sent = {"file": (io.BytesIO(f"{HEADER}\n{GOOD}\n".encode()), "../../etc/table.csv")}
    answer = client.post("/predict/file", data=sent, content_type="multipart/form-data")
    assert len(rows(answer)) == 1
    assert client.post("/predict/file", data={}, content_type="multipart/form-data").status_code == 422


TWO = [("file", "table.csv", HEADER), ("file", "other.csv", HEADER)]
PARTS = "The form has more than 14 parts, or a field of more than 500000 bytes."


@pytest.mark.parametrize(
    "parts, status, says",
    [
        (TWO, 422, "Expected one file in the form's field named file, not 2."),
        ([("file", "", HEADER)], 422, "Expected one file in the form's field named file, not 0."),
        ([("table", "table.csv", HEADER)], 422, "Expected one file in the form's field named file, not 0."),
        ([("note", "", "x")] * 20, 413, PARTS),
        ([("note", "", "x" * 500_001)], 413, PARTS),
        ([("note", "", "x" * 400_000)] * 3, 413, "The body is larger than 1000000 bytes, the limit of this address."),
    ],
)
@pytest.mark.parametrize("announced", [True, False], ids=["with a length", "in chunks"])
def test_a_form_that_does_not_fit_says_why(serve, parts, status, says, announced):
    client = serve(serving="max_upload_bytes: 1000000").test_client()
    body = b""
    for field, name, content in parts:
        named = f'name="{field}"' + (f'; filename="{name}"' if name else "")
        body += f"--limit\r\nContent-Disposition: form-data; {named}\r\n\r\n{content}\r\n".encode()
    body += b"--limit--\r\n"
    sent = {
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "CONTENT_TYPE": "multipart/form-data; boundary=limit",
    } | ({"CONTENT_LENGTH": str(len(body))} if announced else {"HTTP_TRANSFER_ENCODING": "chunked"})
    answer = client.post("/predict/file", environ_overrides=sent)
    assert (answer.status_code, answer.json["detail"]) == (status, says)


def test_an_upload_beyond_the_limit_is_refused(serve):
    client = serve(serving="max_upload_bytes: 2048, max_body_bytes: 1024").test_client()
    line = GOOD + "\n"
    assert len(rows(post(client, f"{HEADER}\n" + line * 80))) == 80
    assert post(client, f"{HEADER}\n" + line * 100).status_code == 413


def test_columns_of_the_table_are_not_overwritten(client):
    answer = post(client, f"{HEADER},prediction,error\n{GOOD},mine,\n")
    assert answer.text.splitlines()[0] == f"{HEADER},prediction,error,prediction_,warning,error_"


def test_a_cell_without_end_is_an_error_of_its_row(client):
    answered = rows(post(client, f"{HEADER}\n{GOOD}\n{'x' * 200_000},1,yes,2020-01-01\n{GOOD}\n"))
    assert [row["error"] for row in answered] == ["", "the row cannot be read: one of its cells is too long", ""]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("inside", ["\n", "\r\n", "\r"])
def test_quotes_and_line_ends_in_cells_are_kept(client, end, inside):
    answered = rows(post(client, f'id,{HEADER}{end}"a ""b"",{inside}c",{GOOD}{end}'))
    assert [row["id"] for row in answered] == [f'a "b",{inside}c']


def test_the_upload_is_closed_when_the_client_is_gone(client, monkeypatch):
    spooled = []
    spool = table.spool
    monkeypatch.setattr(table, "spool", lambda pieces: spooled.append(spool(pieces)) or spooled[-1])
    answer = client.post(
        "/predict/file",
        data=f"{HEADER}\n" + f"{GOOD}\n" * 5000,
        content_type="text/csv",
        buffered=False,
    )
    assert next(answer.response).startswith(b"age")
    answer.close()
    assert spooled[0].closed


def test_an_upload_that_is_not_utf_8_is_closed(monkeypatch):
    made = []
    original = table.tempfile.SpooledTemporaryFile
    monkeypatch.setattr(table.tempfile, "SpooledTemporaryFile", lambda **k: made.append(original(**k)) or made[-1])
    with pytest.raises(Refusal):
        table.spool([b"abc", b"\xff"])
    assert made[0].closed


def test_no_room_for_the_upload_is_said(client, monkeypatch):
    def full(pieces):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "spool", full)
    assert post(client, HEADER).status_code == 503


@pytest.mark.parametrize(
    "head, line",
    [
        (f"note,{HEADER}\n", f"{'x' * 5000},{GOOD}\n"),
        (f"{HEADER},a,b\n", f"{GOOD},{'x' * 100_000},{'x' * 100_000}\n"),
        (f"{HEADER},{wide(16_000)}\n", "1\n"),
    ],
    ids=["long rows", "longer rows", "short rows below a long header"],
)
def test_memory_is_bounded(client, head, line):
    content = (head + line * (40_000_000 // len(line))).encode()
    tracemalloc.start()
    answer = client.post("/predict/file", data=content, content_type="text/csv", buffered=False)
    size = sum(len(piece) for piece in itertools.islice(answer.response, 40))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer.close()
    assert size > 10_000_000
    assert peak < 30_000_000
