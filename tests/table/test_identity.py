import decimal
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow
import pytest

from slipway.table import identity
from slipway.table.identity import fingerprint, row_hashes, row_keys, text_hashes

ROWS = pyarrow.table(
    {
        "number": pyarrow.array([1.5, None, -0.0, 2.0]),
        "text": pyarrow.array(["a", "", None, "a much longer text, ä"]),
    }
)


def hashes(*values, kind=None) -> list[int]:
    return row_hashes(pyarrow.table({"a": pyarrow.array(values, kind)}), ["a"]).tolist()


@pytest.mark.parametrize(
    "values",
    [
        ["", "a", "ab", "b", "12345678", "123456789", "12345678\0", "1234567812345678", "x" * 100, "x" * 101],
        [0.0, 1.0, -1.0, 1e300, float("inf"), None],
        [date(2020, 1, 1), date(2020, 1, 2), None],
        [decimal.Decimal("1.0"), decimal.Decimal("2.0")],
        [[1], [1, 2], None],
        [True, False, None],
    ],
)
def test_different_cells_have_different_hashes(values):
    found = hashes(*values)
    assert len(set(found)) == len(values)
    assert hashes(*values[::-1]) == found[::-1]


def test_a_cell_has_the_same_hash_in_whatever_type_a_batch_gives_its_column():
    assert hashes(1, 2, None, kind=pyarrow.int64()) == hashes(1, 2, None, kind=pyarrow.float64())
    assert hashes(None, None, kind=pyarrow.null()) == hashes(None, None, kind=pyarrow.string())
    assert hashes("x", "yy", "x", kind=pyarrow.large_string()) == hashes("x", "yy", "x")
    encoded = row_hashes(pyarrow.table({"a": pyarrow.array(["x", "yy"]).dictionary_encode()}), ["a"]).tolist()
    assert encoded == hashes("x", "yy")
    assert hashes(0.0) == hashes(-0.0)
    assert hashes(datetime(2020, 1, 1)) == hashes(date(2020, 1, 1))
    assert hashes(0.1, kind=pyarrow.float32()) == hashes(0.1)
    assert hashes(float("nan"), 1.0) == hashes(None, 1.0)


@pytest.mark.parametrize(
    ("texts", "typed"),
    [
        (["1", "2.50", "-1e3", "+.5", ""], [1.0, 2.5, -1000.0, 0.5, None]),
        (["19", "two", "2.50", ""], ["19.0", "two", "2.5", None]),
        (["1.50", "0.00"], [decimal.Decimal("1.5"), decimal.Decimal("0")]),
        (["True", "false", "TRUE", ""], [True, False, True, None]),
        (["2020-01-31", "1969-12-31", ""], [date(2020, 1, 31), date(1969, 12, 31), None]),
        (
            ["2020-01-31 08:30", "2020-01-31T10:30:00+02:00", "2020-01-31 08:30:00.000001Z", "2020-13-01"],
            [datetime(2020, 1, 31, 8, 30), datetime(2020, 1, 31, 8, 30), datetime(2020, 1, 31, 8, 30, 0, 1), None],
        ),
    ],
)
def test_a_text_has_the_hash_of_the_typed_cell_that_it_says(texts, typed):
    """So the same rows of a table are sampled from CSV and from Parquet, and come in one order."""
    found, wanted = hashes(*texts), hashes(*typed)
    assert found[:3] == wanted[:3]
    for start in range(len(texts)):  # whatever else a batch has
        assert hashes(texts[start]) == found[start : start + 1]


def test_what_only_begins_like_a_number_or_a_date_is_a_text():
    assert len(set(hashes("1.2.3", "1", "1_0", "2020-01-31x", "2020-01-31", "2020-02-31", "0x1"))) == 7


def test_of_many_dates_python_reads_only_those_around_an_odd_one(monkeypatch):
    texts = [f"2020-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}T00:00:{day % 60:02d}" for day in range(5_000)]
    wanted, read, asked = hashes(*texts), [], identity._microseconds
    monkeypatch.setattr(identity, "_microseconds", lambda text: read.append(text) or asked(text))
    texts[2_500] = "2020-02-31"
    found = hashes(*texts)
    assert [place for place in range(5_000) if found[place] != wanted[place]] == [2_500]
    assert "2020-02-31" in read and len(read) <= identity.FEW


def test_how_a_text_is_written_tells_what_its_hash_does_not():
    written = pyarrow.table({"a": ["1", "1.0", "01", None, ""], "b": [1.0, 1.0, 1.0, 1.0, 1.0]})
    assert len(set(row_hashes(written, ["a", "b"])[:3])) == 1
    told = text_hashes(written, ["a", "b"]).tolist()
    assert len(set(told)) == 4 and text_hashes(written.take([2, 0]), ["b", "a"]).tolist() == [told[2], told[0]]


def test_a_slice_is_hashed_as_the_whole():
    whole = row_hashes(ROWS, ["number", "text"])
    parts = [row_hashes(ROWS.slice(start, 1), ["text", "number"]) for start in range(4)]
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_cells_that_change_places_change_the_hash():
    one, other = pyarrow.table({"a": ["x"], "b": ["y"]}), pyarrow.table({"a": ["y"], "b": ["x"]})
    assert row_hashes(one, ["a", "b"]) != row_hashes(other, ["a", "b"])


def test_hashes_are_spread_evenly():
    share = np.array(hashes(*[f"{number}" for number in range(50_000)]), dtype=np.uint64) / 2**64
    assert np.abs(np.histogram(share, 10, (0, 1))[0] - 5_000).max() < 300
    share = np.array(hashes(*range(50_000)), dtype=np.uint64) / 2**64
    assert np.abs(np.histogram(share, 10, (0, 1))[0] - 5_000).max() < 300


def test_known_rows_keep_their_hashes():
    """Another hash would draw another sample of every user's table."""
    assert row_hashes(ROWS, ["number", "text"]).tolist() == [
        5625576409112980256,
        12812098918741868402,  # its text is empty, which is a missing cell
        4047931695875063084,
        16462926048274042443,
    ]


@pytest.mark.parametrize(
    "other",
    [
        ROWS.rename_columns(["number", "words"]),
        ROWS.select(["text", "number"]),
        ROWS.slice(0, 3),
        ROWS.set_column(0, "number", pyarrow.array([1.5, 0.0, 0.0, 2.0])),
        ROWS.set_column(1, "text", pyarrow.array(["", "a", None, "a much longer text, ä"])),
        ROWS.set_column(1, "text", pyarrow.array(["a", "", "", "a much longer text, ä"])),
        ROWS.set_column(1, "text", ROWS["text"].cast(pyarrow.large_string())),
    ],
)
def test_the_fingerprint_tells_tables_apart(other):
    assert fingerprint(other) != fingerprint(ROWS)


def test_large_whole_numbers_are_told_apart():
    one, other = (pyarrow.table({"a": pyarrow.array([2**60 + add])}) for add in (0, 1))
    assert fingerprint(one) != fingerprint(other)


def test_how_a_table_lies_in_memory_does_not_matter():
    parts = pyarrow.concat_tables([ROWS.slice(0, 1), ROWS.slice(1)])
    assert parts.column(0).num_chunks == 2
    assert fingerprint(parts) == fingerprint(ROWS)


def test_keys_are_as_they_ever_were():
    """A key that changes would redraw the hold-out of every repository: quotes and the minus of Unicode stay in it."""
    frame = pd.DataFrame({"a": ['"yes"', ' "19" ', "\u22125", "5", "NA", "1_0", "2024-01-05T00:00:00", "a\\b", "TRUE"]})
    assert row_keys(frame, ["a"], {}) == [
        b'"yes"',
        b'"19"',
        "\u22125".encode(),
        b"5.0",
        b"",
        b"1_0",
        b"2024-01-05",
        b"a\\\\b",
        b"true",
    ]


@pytest.mark.parametrize(
    ("kind", "values", "known"),
    [
        (pyarrow.bool_(), [True, False, None], "f5b45a3cfab9ea16"),
        (pyarrow.int8(), [1, -1, None], "dbfed4dc08fd7406"),
        (pyarrow.uint64(), [1, 2**63, None], "190ed01718218e55"),
        (pyarrow.float32(), [0.1, -0.0, None], "8ca4be5cddabe10a"),
        (pyarrow.float64(), [0.1, float("nan"), None], "6651a482ed16f9a7"),
        (pyarrow.string(), ["1.50", "", None], "89d225978aea923e"),
        (pyarrow.large_string(), ["1.50", "", None], "952b0c78ca362a9f"),
        (pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), ["b", "a", None], "f7be0cd3478155fb"),
        (pyarrow.date32(), [date(2020, 1, 31), date(1969, 12, 31), None], "1538e4ab4cf683e2"),
        (pyarrow.timestamp("ns"), [datetime(2020, 1, 31, 8, 30, 0, 1), None], "fa87fae4ca3554c8"),
        (pyarrow.timestamp("us", "UTC"), [datetime(2020, 1, 31, 8, 30, 0, 1), None], "a0b0f2ac7213f357"),
        (pyarrow.decimal128(5, 2), [decimal.Decimal("1.50"), None], "286bff854fc9a750"),
        (pyarrow.null(), [None, None], "847982a64d9e298e"),
    ],
    ids=str,
)
def test_known_tables_keep_their_fingerprints(kind, values, known):
    """Another fingerprint would declare the kept tables of earlier versions damaged."""
    assert fingerprint(pyarrow.table({"a": pyarrow.array(values, kind)}))[:16] == known
