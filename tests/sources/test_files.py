import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet
from pyarrow.csv import write_csv

from slipway.errors import TableError
from slipway.problem import load_problem
from slipway.sources.batches import frame_of
from slipway.sources.local_files import LocalFiles
from slipway.sources.source import open_location, open_source
from slipway.table import csv_file as csv
from slipway.table.cells import cells_of
from slipway.table.identity import row_keys


def table(folder, source="table.csv"):
    (folder / "slipway.yaml").write_text(f"name: t\nsource: {source}\ntarget: b\n")
    return frame_of(open_source(load_problem(folder / "slipway.yaml", environ={})), source)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2, ?\n",
        b"a,b\r\n1,x\r\n2, ?\r\n",
        b"\xef\xbb\xbfa,b\n1,x\n2, ?",
        b" a , b\n1,x\n2, ?\n\n",
        b"a;b\n1;x\n2; ?\n",
        b"a\tb\n1\tx\n2\t ?\n",
        b'"a","b"\n"1","x"\n"2"," ?"\n',
        b"sep=;\r\na;b\r\n1;x\r\n2; ?\r\n",
        b'\xef\xbb\xbf\n"SEP=,"\na,b\n1,x\n2, ?\n',
        b'a, "b"\n1,x\n2, ?\n',
    ],
)
def test_csv_as_people_save_it(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    frame = table(tmp_path)
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.to_numpy().tolist() == [["1", "x"], ["2", " ?"]]


def test_quoted_line_breaks_and_gzip(tmp_path):
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b'a,b\n1,"two\nlines"\n'))
    assert table(tmp_path, "table.csv.gz")["b"].tolist() == ["two\nlines"]


def test_an_index_that_pandas_wrote_gets_a_name(tmp_path):
    pd.DataFrame({"a": [1], "b": [2]}).to_csv(tmp_path / "table.csv")
    assert table(tmp_path).columns.tolist() == ["Unnamed: 0", "a", "b"]


def test_several_files_are_one_table_whatever_the_order_of_their_columns(tmp_path):
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("b,a\n4,3\n")
    assert table(tmp_path, "p*.csv")["a"].tolist() == ["1", "3"]


def test_parquet_keeps_its_types(tmp_path):
    pd.DataFrame({"a": [1, 2], "b": [0.5, None]}).to_parquet(tmp_path / "table.parquet")
    assert [str(kind) for kind in table(tmp_path, "table.parquet").dtypes] == ["int64", "float64"]


MIXED = {
    "number": pyarrow.array([1, 2, None]),
    "share": [0.5, 20.0, float("nan")],
    "text": [" x", "?", None],
    "small": pyarrow.array([0.1, None, 3], pyarrow.float32()),
    "flag": [True, False, None],
    "day": pyarrow.array([18262, None, 0], pyarrow.date32()),
    "time": pyarrow.array([0, 1_600_000_000_123_456_000, None], pyarrow.timestamp("ns")),
    "zone": pyarrow.array([0, 86_400_000, None], pyarrow.timestamp("ms", "Europe/Berlin")),
    "level": pyarrow.array(["a", None, "b"]).dictionary_encode(),
    "money": [Decimal("1.50"), None, Decimal("2.00")],
}


@pytest.mark.parametrize("order", ["table.csv, table.parquet", "table.parquet, table.csv"])
def test_csv_and_parquet_are_one_table_and_a_cell_says_the_same_in_both(tmp_path, order):
    parquet.write_table(pyarrow.table(MIXED), tmp_path / "table.parquet")
    typed = table(tmp_path, "table.parquet")
    texts = {name: cells_of(typed[name]) for name in typed}
    said = {name: np.array([*cells.texts, ""], dtype=object)[cells.codes] for name, cells in texts.items()}
    pd.DataFrame(said).to_csv(tmp_path / "table.csv", index=False)
    both = table(tmp_path, f"[{order}]")
    assert len(both) == 6
    for name in typed:
        assert row_keys(both[:3], [name], {}) == row_keys(both[3:].reset_index(), [name], {}) == row_keys(typed, [name], {})


@pytest.mark.parametrize("source", ["*.csv", "*.parquet", "*"])
def test_columns_that_are_typed_in_some_file_are_told(tmp_path, source):
    nothing = pyarrow.nulls(3)
    parquet.write_table(pyarrow.table({**MIXED, "nothing": nothing}), tmp_path / "a.parquet")
    texts = pyarrow.table({name: ["1"] * 3 for name in [*MIXED, "nothing"]})
    parquet.write_table(texts, tmp_path / "b.parquet")
    write_csv(texts, tmp_path / "c.csv")
    batches = open_location(source, tmp_path, set(MIXED) - {"money"} | {"nothing"})
    typed = set(MIXED) - {"text", "level", "money"}
    assert (batches.typed, batches.texts) == (set() if source == "*.csv" else typed, source != "*.parquet")


def test_what_csv_cannot_say_is_refused_when_parquet_is_read_beside_it(tmp_path):
    parquet.write_table(pyarrow.table({"a": [1], "b": [[1]]}), tmp_path / "b.parquet")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="b.parquet: column 'b' has the type list<.*>, unsupported together with CSV"):
        table(tmp_path, "[a.csv, b.parquet]")
    batches = open_location("[ab].*", tmp_path, {"a"})  # a column that is dropped is no matter
    assert frame_of(batches, "both")["a"].tolist() == ["1", "1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n", "has columns but no rows"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: expected 2 cells, got 3"),
        (b"sep=,\n\na,b\n1,2\n1\n", "line 5: expected 2 cells, got 1"),
        (b'a,b\n1,2\n1, "2,3"\n', "line 3: expected 2 cells, got 3; remove the blank before the quote"),
        (b"a,b\n1,2\n1\n", "line 3: expected 2 cells, got 1"),
        (b"a,a\n1,2\n", "duplicate column name 'a'"),
        (b"a,,b\n1,2,3\n", "column 2 of the header has no name"),
        (b"a,b\n1,caf\xe9\n", "line 2: is not UTF-8"),
        (b"a,b\n1,2,caf\xe9\n", "line 2: expected 2 cells, got 3"),
        (b"a\0,b\n1,2\n", "NUL"),
        (b'a,"b\nc"\n1,2\n', "the header has a quote that is not closed on its line"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(tmp_path, content, message):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        table(tmp_path)
    assert "table.csv" in caught.value.cause


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("absent.csv", "no such file"),
        ("*.csv", "no such file"),
        ("table.xls", "neither CSV"),
        ("gs://bucket/table.csv", "gs:// is not read by this version"),
    ],
)
def test_sources_that_are_not_there(tmp_path, source, message):
    (tmp_path / "table.xls").write_text("a")
    with pytest.raises(TableError, match=message):
        table(tmp_path, f'"{source}"')


def test_an_absent_file_is_looked_for_in_the_folder_only_where_its_path_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, says in (
        ("absent.csv", f"absent.csv: there is no such file in {tmp_path}. Paths are relative to that folder"),
        (f"{tmp_path}/absent.csv", f"{tmp_path}/absent.csv: there is no such file. Check the path"),
    ):
        with pytest.raises(TableError) as caught:
            LocalFiles(name, Path()).paths()
        assert str(caught.value) == says


def test_files_with_other_columns_are_refused(tmp_path):
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(TableError, match="p2.csv: has no column 'b'"):
        table(tmp_path, "p*.csv")


def test_a_parquet_file_that_is_none(tmp_path):
    (tmp_path / "table.parquet").write_bytes(b"nope")
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        table(tmp_path, "table.parquet")


def text(rows: int) -> bytes:
    return b"a,b\n" + b"".join(b'%d,"x\ny %d"\n' % (row, row) for row in range(rows))


def test_a_large_file_is_read_in_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(csv, "BLOCK", 10_000)
    (tmp_path / "table.csv").write_bytes(text(20_000))
    batches = open_location("table.csv", tmp_path)
    read = list(batches.read())
    assert max(batch.nbytes for batch in read) < 40_000
    assert [cell for batch in read for cell in batch["b"].to_pylist()] == [f"x\ny {row}" for row in range(20_000)]
    assert abs(batches.rows - 20_000) < 40_000  # a row may have several lines


@pytest.mark.parametrize("ending", [b"1,2,3\n", b"1\n"])
def test_the_line_of_a_bad_row_is_told_however_far_down_it_is(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(csv, "BLOCK", 10_000)
    (tmp_path / "table.csv").write_bytes(b"a,b\n" + b"1,2\n" * 50_000 + ending)
    with pytest.raises(TableError, match="table.csv, line 50002: expected 2 cells"):
        table(tmp_path)


def test_text_that_is_not_utf8_is_told_with_its_line(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"a,b\n" + b"1,2\n" * 50_000 + b"1,caf\xe9\n")
    with pytest.raises(TableError, match="table.csv, line 50002: is not UTF-8"):
        table(tmp_path)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(csv, "BLOCK", 10_000)
    (tmp_path / "table.csv").write_bytes(b'a,b\n1,"2\n' + b"1,2\n" * 50_000)
    with pytest.raises(TableError, match="never closed"):
        table(tmp_path)


def test_a_packed_file_that_ends_early_is_an_error(tmp_path):
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(text(50_000))[:-2_000])
    with pytest.raises(TableError, match="table.csv.gz: cannot be read"):
        table(tmp_path, "table.csv.gz")


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.parquet"])
def test_only_the_columns_asked_for_are_read_in_the_order_of_the_table(tmp_path, name):
    frame = pd.DataFrame({"a": ["1"], "b": ["2"], "c": ["3"]})
    frame.to_parquet(tmp_path / name) if name.endswith("parquet") else frame.to_csv(tmp_path / name, index=False)
    batches = open_location(name, tmp_path, {"c", "a"})
    assert batches.names == ("a", "c") and batches.rows in (1, None)
    assert frame_of(batches, name).to_numpy().tolist() == [["1", "3"]]


def test_parquet_is_read_batch_by_batch_and_each_call_starts_anew(tmp_path):
    pd.DataFrame({"a": range(200_000)}).to_parquet(tmp_path / "t.parquet", row_group_size=50_000)
    batches = open_location("t.parquet", tmp_path)
    assert max(batch.num_rows for batch in batches.read()) <= 1 << 16
    assert sum(batch.num_rows for batch in batches.read()) == batches.rows == 200_000


def test_a_name_that_parquet_has_twice_is_told(tmp_path):
    parquet.write_table(pyarrow.table([[1], [2]], ["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="t.parquet: duplicate column name 'a'"):
        open_location("t.parquet", tmp_path)


def test_the_index_that_pandas_hides_in_parquet_is_no_column(tmp_path):
    pd.DataFrame({"a": [1, 2, 3]})[1:].to_parquet(tmp_path / "t.parquet")
    assert open_location("t.parquet", tmp_path).names == ("a",)


@pytest.mark.parametrize("rest", [b"", b"\n", b"\n" * 100_000])
def test_a_header_with_blank_lines_below_it_has_no_rows(tmp_path, rest):
    (tmp_path / "table.csv").write_bytes(b"a,b\n" + rest)
    with pytest.raises(TableError, match="has columns but no rows"):
        table(tmp_path)


def test_a_separator_within_quotes_is_none(tmp_path):
    (tmp_path / "table.csv").write_bytes(b'"a,1,2,3";b\n1,5;x\n')
    assert open_location("table.csv", tmp_path).names == ("a,1,2,3", "b")


def test_empty_lines_before_the_header_do_not_count(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"\n\na,b\n1,2\n")
    assert table(tmp_path).to_numpy().tolist() == [["1", "2"]]
