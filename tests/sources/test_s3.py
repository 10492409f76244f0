import gzip
import io

import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

import s3
from slipway.errors import TableError
from slipway.problem import load_problem
from slipway.sources.batches import frame_of
from slipway.sources.source import open_location, open_source

NUMBERS = pd.DataFrame({"a": range(3_000), "b": [f"text {number}" for number in range(3_000)]})


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def packed(frame: pd.DataFrame, **more) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, **more)
    return buffer.getvalue()


def table(bucket, pattern: str, columns=None) -> pd.DataFrame:
    location = f"{bucket.url}/{pattern}"
    return frame_of(open_location(location, None, columns), location)


@pytest.mark.parametrize(
    ("pattern", "rows"),
    [
        ("day=1/x.csv", [1]),
        ("day=*/x.csv", [1, 2]),
        ("*.csv", [0]),
        ("**/*.csv", [0, 1, 2]),
        ("day=[!1]/?.csv", [2]),
    ],
)
def test_a_glob_over_keys_is_one_over_files(bucket, pattern, rows):
    for name, row in {"0.csv": 0, "day=1/x.csv": 1, "day=2/x.csv": 2, "day=2/x.txt.bak": 9}.items():
        bucket.put(name, f"a\n{row}\n".encode())
    assert table(bucket, pattern)["a"].tolist() == [str(row) for row in rows]


def test_parquet_keeps_its_types_and_csv_is_text_packed_or_not(bucket):
    bucket.put("t.parquet", packed(NUMBERS))
    bucket.put("t.csv", csv(NUMBERS))
    bucket.put("t.csv.gz", gzip.compress(csv(NUMBERS)))
    assert table(bucket, "t.parquet").equals(NUMBERS.astype({"b": "str"}))
    assert table(bucket, "t.csv").equals(NUMBERS.astype("str"))
    assert table(bucket, "t.csv.gz").equals(NUMBERS.astype("str"))


def test_several_sources_here_and_there_are_one_table(bucket, tmp_path):
    bucket.put("p1.csv", b"a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("b,a\n4,3\n")
    (tmp_path / "slipway.yaml").write_text(f'name: t\nsource: ["{bucket.url}/p*.csv", p2.csv]\ntarget: b\n')
    batches = open_source(load_problem(tmp_path / "slipway.yaml", environ={}))
    assert frame_of(batches, "t").to_numpy().tolist() == [["1", "2"], ["3", "4"]]


def test_keys_with_other_columns_are_refused_by_name(bucket):
    bucket.put("p1.csv", b"a,b\n1,2\n")
    bucket.put("p2.csv", b"a,c\n1,2\n")
    with pytest.raises(TableError, match="p2.csv: has no column 'b'"):
        table(bucket, "p*.csv")


def test_of_parquet_only_the_footer_and_the_columns_asked_for_are_fetched(bucket):
    wide = pd.DataFrame({f"c{number}": range(number, number + 20_000) for number in range(20)})
    content = packed(wide, compression="none", row_group_size=5_000)
    bucket.put("wide.parquet", content)
    sent = []

    def counted(call, forward):
        raw = forward()
        if call.kind == "get":
            sent.append(len(raw.partition(b"\r\n\r\n")[2]))
        return raw

    bucket.proxy.fault = counted
    assert table(bucket, "wide.parquet", ["c3", "c7"]).equals(wide[["c3", "c7"]])
    chunks = sum(
        parquet.ParquetFile(pyarrow.BufferReader(content)).metadata.row_group(group).column(column).total_compressed_size
        for group in range(4)
        for column in (3, 7)
    )
    assert chunks < sum(sent) < chunks + 2 * 65_536 < len(content) / 3


def lost_once(kind="get", least=10_000):
    """A fault: the first long answer is cut in its middle."""
    cut = []

    def fault(call, forward):
        raw = forward()
        if call.kind == kind and len(raw) > least and not cut:
            cut.append(call)
            return s3.cut(raw)
        return raw

    return fault, cut


@pytest.mark.parametrize(
    "name, content",
    [
        ("t.csv", csv(NUMBERS)),
        ("t.csv.gz", gzip.compress(csv(NUMBERS), 0)),
        ("t.parquet", packed(NUMBERS, compression="none")),
    ],
)
def test_a_lost_connection_goes_on_at_the_next_byte(bucket, name, content):
    bucket.put(name, content)
    bucket.proxy.fault, cut = lost_once()
    assert table(bucket, name)["b"].tolist() == NUMBERS["b"].tolist()
    assert cut


def test_what_was_there_of_a_lost_connection_is_not_fetched_again(bucket):
    content = csv(pd.concat([NUMBERS] * 200))
    bucket.put("t.csv", content)
    batches = open_location(f"{bucket.url}/t.csv", None)
    bucket.proxy.fault, cut = lost_once()
    sent = []

    def counted(call, forward, lost=bucket.proxy.fault):
        sent.append(len(lost(call, forward)))
        return s3.cut(forward()) if len(sent) == 1 else None

    bucket.proxy.fault = counted
    assert sum(batch.num_rows for batch in batches.read()) == 600_000
    assert len(sent) == 2 and sent[1] < 0.75 * len(content)


@pytest.mark.parametrize(
    "name, content, other",
    [
        ("t.csv", csv(NUMBERS), csv(NUMBERS[::-1])),
        ("t.parquet", packed(NUMBERS), packed(NUMBERS[::-1])),
    ],
)
def test_an_object_that_changes_meanwhile_is_an_error(bucket, name, content, other):
    bucket.put(name, content)
    batches = open_location(f"{bucket.url}/{name}", None)
    bucket.put(name, other)
    with pytest.raises(TableError, match=f"{name}: was changed or removed meanwhile"):
        list(batches.read())


def test_a_connection_that_is_always_lost_is_an_error(bucket):
    bucket.put("t.csv", csv(NUMBERS))
    bucket.proxy.fault = lambda call, forward: (
        forward().partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if call.kind == "get" else None
    )
    with pytest.raises(TableError, match="t.csv: .*Run it again later"):
        table(bucket, "t.csv")


@pytest.mark.parametrize(
    "kind, right, where",
    [
        ("list", "s3:ListBucket", "arn:aws:s3:::{bucket} "),
        ("get", "s3:GetObject", "arn:aws:s3:::{bucket}/models/a/t.csv "),
    ],
)
def test_a_missing_right_is_named(bucket, kind, right, where):
    bucket.put("t.csv", csv(NUMBERS))
    bucket.proxy.fault = lambda call, forward: s3.DENIED if call.kind == kind else None
    with pytest.raises(TableError) as caught:
        table(bucket, "t.csv")
    assert f"{bucket.url}/t.csv: S3 refused" in caught.value.cause
    assert f"Grant the permission {right} on {where.format(bucket=bucket.name)}" in caught.value.cure


@pytest.mark.parametrize(
    "location, message",
    [
        ("s3://bucket-absent/p/*.csv", "There is no such bucket: create it, or correct its name"),
        ("s3://{bucket}/p/*.csv", "there is no such object"),
        ("s3://{bucket}", "names no object"),
        ("s3://{bucket}/t.xls", "t.xls: is neither CSV"),
    ],
)
def test_what_is_not_there_is_said(bucket, location, message):
    bucket.client.put_object(Bucket=bucket.name, Key="t.xls", Body=b"a")
    with pytest.raises(TableError, match=message):
        open_location(location.format(bucket=bucket.name), None)


def test_a_row_of_another_length_is_said_with_key_and_line(bucket):
    bucket.put("t.csv", b"a,b\n1,2\n1,2,3\n")
    with pytest.raises(TableError, match=r"models/a/t.csv, line 3: expected 2 cells, got 3"):
        table(bucket, "t.csv")
