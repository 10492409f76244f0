import gzip

import pandas as pd
import pytest

from slipway.errors import TableError
from slipway.problem import load_problem
from slipway.sources.files import read_table


def table(folder, source="table.csv"):
    (folder / "slipway.yaml").write_text(f"name: t\nsource: {source}\ntarget: b\n")
    return read_table(load_problem(folder / "slipway.yaml", environ={}))


@pytest.mark.parametrize("content", [
    b"a,b\n1,x\n2, ?\n",
    b"a,b\r\n1,x\r\n2, ?\r\n",
    b"\xef\xbb\xbfa,b\n1,x\n2, ?",
    b" a , b\n1,x\n2, ?\n\n",
    b"a;b\n1;x\n2; ?\n",
    b"a\tb\n1\tx\n2\t ?\n",
    b'"a","b"\n"1","x"\n"2"," ?"\n',
])
def test_csv_as_people_save_it(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    frame = table(tmp_path)
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.to_numpy().tolist() == [["1", "x"], ["2", " ?"]]


def test_quoted_line_breaks_and_gzip(tmp_path):
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress('a,b\n1,"two\nlines"\n'.encode()))
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


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"),
    (b"a,b\n", "has a header but no rows"),
    (b"a,b\n1,2\n1,2,3\n", "line 3: has 3 cells, the header 2"),
    (b"a,b\n1,2\n1\n", "line 3: has 1 cells, the header 2"),
    (b"a,a\n1,2\n", "'a' stands in the header twice"),
    (b"a,,b\n1,2,3\n", "column 2 of the header has no name"),
    (b"a,b\n1,caf\xe9\n", "is not UTF-8"),
    (b"a\0,b\n1,2\n", "NUL"),
])
def test_what_cannot_be_read_is_said_with_its_place(tmp_path, content, message):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        table(tmp_path)
    assert "table.csv" in caught.value.cause


@pytest.mark.parametrize(("source", "message"), [
    ("absent.csv", "no such file"),
    ("*.csv", "no such file"),
    ("table.xls", "neither CSV"),
    ("s3://bucket/table.csv", "s3:// is not read by this version"),
])
def test_sources_that_are_not_there(tmp_path, source, message):
    (tmp_path / "table.xls").write_text("a")
    with pytest.raises(TableError, match=message):
        table(tmp_path, f'"{source}"')


def test_files_with_other_columns_are_refused(tmp_path):
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(TableError, match="p2.csv: has no column 'b'"):
        table(tmp_path, "p*.csv")


def test_a_parquet_file_that_is_none(tmp_path):
    (tmp_path / "table.parquet").write_bytes(b"nope")
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        table(tmp_path, "table.parquet")
