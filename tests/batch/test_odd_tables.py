"""Tables as they should not be, and what becomes of them."""

import errno
import os
from datetime import time

import pyarrow
import pyarrow.parquet as parquet
import pytest

from slipway.batch import place
from slipway.errors import TableError
from slipway.table.csv_file import reading

HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"


@pytest.mark.parametrize("cell, kept", [('"x', '"x\n"'), ('"x""', '"x""\n"'), ('"x,1\n\ny', '"x,1\n\ny\n"')])
def test_a_quote_that_the_end_of_a_file_leaves_open_is_closed(desk, cell, kept):
    for name in ("a1.csv", "a2.csv"):
        desk.write(f"{HEADER},note\n{GOOD},{cell}\n", name)
    desk.predict("a[12].csv")
    assert desk.read().decode() == f"{HEADER},note,prediction,warning\n" + 2 * f"{GOOD},{kept},29589.0,\n"


@pytest.mark.parametrize(
    "head",
    [
        b"sep=;\r\nage;bmi;smoker;joined",
        b'\xef\xbb\xbf"SEP=;"\r\nage;bmi;smoker;joined',
        b'age; "bmi";smoker;joined',
        b'"age";bmi;smoker;joined',
    ],
)
def test_the_header_comes_back_as_it_stands(desk, head):
    desk.write(head + b"\r\n19;27.9;yes;2020-01-01\r\n")
    assert desk.predict().scored == 1
    assert desk.read() == head + b";prediction;warning\r\n19;27.9;yes;2020-01-01;29589.0;\r\n"


def test_quotes_around_a_number_are_no_part_of_it(desk):
    row = '"""19""", "27.9" ,"yes", "2020-01-01"'
    desk.write(f"{HEADER}\n{row}\n")
    desk.predict()
    assert desk.read().decode() == f"{HEADER},prediction,warning\n{row},29589.0,\n"


def test_a_separator_within_quotes_is_none(desk):
    desk.write('"a,b,c,d,e";age;bmi;smoker;joined\nx;19;27.9;yes;2020-01-01\n')
    assert desk.predict().scored == 1


@pytest.mark.parametrize(
    "note, says",
    [
        ("x,y", "expected 5 cells, got 6"),
        ('"x, ""y""",z', "expected 5 cells, got 6"),
        (' "x,y"', "expected 5 cells, got 6; remove the blank before the quote"),
    ],
)
def test_a_blank_before_a_quote_is_told(desk, note, says):
    for end in ("\n", "\n\n"):  # the second is read row by row
        desk.write(f"{HEADER},note\n{GOOD},x{end}{GOOD},{note}\n")
        desk.predict()
        assert desk.rows("out.rejects.csv")[0]["reason"] == says


def cells(**changes) -> dict:
    return {"age": [19], "bmi": [27.9], "smoker": ["yes"], "joined": ["2020-01-01"]} | changes


def test_parquet_files_whose_types_no_file_holds_are_refused_before_anything_is_answered(desk):
    parquet.write_table(pyarrow.table(cells()), "a1.parquet")
    parquet.write_table(pyarrow.table(cells(bmi=["27.9"])), "a2.parquet")
    with pytest.raises(TableError, match="a2.parquet: a column is of another type .*bmi.*double vs string"):
        desk.predict("a*.parquet", "out.parquet")
    assert desk.files() == {"a1.parquet", "a2.parquet"}
    assert desk.predict("a*.parquet").scored == 2


def test_numbers_that_do_not_fit_into_one_parquet_column_are_told(desk):
    parquet.write_table(pyarrow.table(cells(key=[(1 << 53) + 1])), "a1.parquet")
    parquet.write_table(pyarrow.table(cells(key=[0.5])), "a2.parquet")
    with pytest.raises(TableError, match="cannot become one Parquet file .*Write CSV instead"):
        desk.predict("a*.parquet", "out.parquet")
    assert not (desk.folder / "out.parquet.partial.parquet").exists()


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_column_that_parquet_has_twice_is_told(desk, out):
    names = ["age", "bmi", "smoker", "joined", "x", "x"]
    parquet.write_table(pyarrow.table([*cells().values(), [1], [2]], names), "in.parquet")
    with pytest.raises(TableError, match="in.parquet: duplicate column name 'x'"):
        desk.predict("in.parquet", out)


def test_csv_and_parquet_in_one_glob_are_told(desk):
    desk.write(f"{HEADER}\n{GOOD}\n", "a1.csv")
    parquet.write_table(pyarrow.table(cells()), "a2.parquet")
    with pytest.raises(TableError, match=r"names CSV and Parquet files. Predict either alone"):
        desk.predict("a[12]*")


def test_an_input_that_cannot_be_opened_is_told(desk):
    (desk.folder / "in.csv").mkdir()
    desk.write(f"{HEADER}\n{GOOD}\n", "hin.csv")
    with pytest.raises(TableError, match="in.csv: cannot be read"):
        desk.predict("*in.csv")
    with pytest.raises(TableError, match="denied.*Get the right to read it"), reading("in.csv"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_parquet_file_is_on_the_disk_before_it_is_in_its_place(desk, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino) or fsync(handle))
    desk.write(f"{HEADER}\n{GOOD}\n")
    desk.predict(out="out.parquet")
    assert os.stat("out.parquet").st_ino in synced


@pytest.mark.parametrize(
    "joined",
    [
        pyarrow.array([9_223_372_036_854_775, 1_577_836_800_000], pyarrow.timestamp("ms")),
        pyarrow.array([-9_223_372_036_854_775, 1_577_836_800_000], pyarrow.timestamp("s", "Europe/Berlin")),
        pyarrow.array([(1 << 31) - 1, 18262], pyarrow.int32()).cast(pyarrow.date32()),
        pyarrow.array([-62_135_596_800, 1_577_836_800], pyarrow.timestamp("s", "America/New_York")),
        pyarrow.array([time(1, 2), None]),
    ],
)
def test_a_moment_that_is_no_date_rejects_its_row_alone(desk, joined):
    parquet.write_table(pyarrow.table({key: cell * 2 for key, cell in cells().items()} | {"joined": joined}), "in.parquet")
    desk.predict("in.parquet", "out.parquet")
    rejects = desk.rows("out.rejects.csv")
    assert rejects[0]["row"] == "1"
    assert rejects[0]["reason"] == "joined: expected a date such as 2026-01-31 or 2026-01-31T08:30:00"


def test_a_folder_below_those_of_a_glob_may_have_the_output(desk):
    desk.write(f"{HEADER}\n{GOOD}\n")
    assert desk.predict("*.csv", "artifacts/out.csv").scored == 1


@pytest.mark.parametrize(
    "code, cure",
    [
        (errno.ENOSPC, "Free disk space, and run the same command again"),
        (errno.EACCES, "Get write permission there"),
        (errno.EROFS, "Get write permission"),
    ],
)
def test_what_cannot_be_written_is_told_with_what_helps(desk, monkeypatch, code, cure):
    desk.write(f"{HEADER}\n{GOOD}\n")
    real = os.open

    def refused(path, *rest):
        if str(path).endswith(".lock"):
            raise OSError(code, os.strerror(code))
        return real(path, *rest)

    monkeypatch.setattr(place.os, "open", refused)
    with pytest.raises(TableError, match=f"out.csv.lock: cannot be written .*{cure}"):
        desk.predict()
