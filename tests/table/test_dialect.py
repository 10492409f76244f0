"""Every door reads a header, and what is wrong with it, in the same way."""

import io
import time
from contextlib import suppress

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.batch.lines import Sheet
from slipway.errors import TableError
from slipway.serving import csv_upload
from slipway.serving.refusal import Refusal
from slipway.table.csv_file import open_csv
from slipway.table.dialect import INDEX, PIECE, bare, read_header, shape_error


def header_of(content: bytes, size: int = 1 << 20):
    text = io.BytesIO(content)
    return read_header(lambda asked: text.read(min(asked, size)))


def opened(content: bytes):
    return open_csv("t.csv", lambda: pyarrow.BufferReader(content), len(content))


def learned(content: bytes):
    """Names and rows as training reads them."""
    file = opened(content)
    rows = [list(row.values()) for batch in file.read(file.names) for row in batch.to_pylist()]
    return file.names, rows


def predicted(content: bytes):
    """Names and rows as a batch reads them."""
    file = opened(content)
    sheet = Sheet(file, len(content), file.names)
    return sheet.names, [list(row.values()) for block in sheet.read(sheet.start) for row in block().cells.to_pylist()]


def uploaded(content: bytes):
    """Names and rows as the service reads them."""
    sheet = csv_upload.open_sheet(io.BytesIO(content), ())
    return sheet.header, list(sheet.rows)


DOORS = [learned, predicted, uploaded]
NAMES = st.text("ab \"',;\t|é\u00a0", min_size=1, max_size=6).filter(bare)


def written(name: str, quoted: bool, before: str, after: str) -> str:
    if quoted or set(name) & set('",;\t|'):
        name = '"' + name.replace('"', '""') + '"'
    return before + name + after


@given(
    names=st.lists(
        st.tuples(NAMES, st.booleans(), st.sampled_from(["", " "]), st.sampled_from(["", " "])),
        min_size=2,
        max_size=6,
        unique_by=lambda name: bare(name[0]),
    ),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    blank=st.integers(0, 3),
    mark=st.sampled_from(["", "\ufeff"]),
    excel=st.sampled_from(["", "sep={}", "SEP={}", '"sep={}"', "sep={} "]),
    size=st.sampled_from([1, 2, 7, PIECE]),
)
def test_a_header_reads_back_the_same_at_every_door(names, separator, end, blank, mark, excel, size):
    line = separator.join(written(*name) for name in names)
    excel = excel.format(separator) + end if excel else ""
    rows = [["1"] * len(names), ["2"] * len(names)]
    body = "".join(separator.join(row) + end for row in rows).encode()
    content = (mark + end * blank + excel + line + end).encode() + body
    header = header_of(content, size)
    expected = tuple(bare(name[0]) for name in names)
    assert (header.names, header.separator) == (expected, separator)
    assert header.raw == (mark + excel + line).encode()
    assert header.line_end == ("\r\n" if end == "\r\n" else "\n")
    assert (content[header.size :], header.lines) == (body, blank + bool(excel) + 1)
    for door in DOORS:
        assert door(content) == (expected, rows)


@pytest.mark.parametrize(
    "content, separator, names",
    [
        (b'"a,b";c;d\n', ";", ("a,b", "c", "d")),
        (b'a,"b;c;d"\n', ",", ("a", "b;c;d")),
        (b'"a ""x,y"", b";c\n', ";", ('a "x,y", b', "c")),
        (b'5" a,6" b,c\n', ",", ('5" a', '6" b', "c")),
        (b'name, "sex" ,"age"\n', ",", ("name", "sex", "age")),
        (b'name, "sex, age"\n', ",", ("name", "sex, age")),
        (b"sep=-\na-b,c\n", "-", ("a", "b,c")),
        (b"sep=;\n\na;b,c,d\n", ";", ("a", "b,c,d")),
        (b"sep=\t\na\tb,c\n", "\t", ("a", "b,c")),
        (b",a\n", ",", (INDEX, "a")),
        (b"sep=x\n", ",", ("sep=x",)),
    ],
)
@pytest.mark.parametrize("door", DOORS)
def test_the_separator_is_the_one_that_is_named_or_separates_most(door, content, separator, names):
    assert (header_of(content).separator, header_of(content).names) == (separator, names)
    assert door(content) == (names, [])


@pytest.mark.parametrize(
    "content, says, cure",
    [
        (b"", "the table is empty", "header"),
        (b"\xef\xbb\xbf\n \r\n", "the table is empty", "header"),
        (b"sep=;\n\n", "the table is empty", "header"),
        (b"\n" * 1001 + b"a,b\n", "the first 1000 lines are blank", "header"),
        (b"a,a\n1,2\n", "duplicate column name 'a'", "Rename"),
        (b'a, "a" \n1,2\n', "duplicate column name 'a'", "Rename"),
        (b"a,,b\n1,2,3\n", "column 2 of the header has no name", "Name it"),
        (b'a," "\n1,2\n', "column 2 of the header has no name", "Name it"),
        (b"caf\xe9,b\n1,2\n", "the header is not UTF-8 text (invalid continuation byte)", "as UTF-8"),
        (b"a\0,b\n1,2\n", "the header has NUL bytes; it is not CSV in UTF-8", "as UTF-8"),
        (b'a,"b\nc"\n1,2\n', "the header has a quote that is not closed on its line", "one line"),
        (b'a, "b\n1,2\n', "the header has a quote that is not closed on its line", "one line"),
        (b"a," + b"x" * 140_000 + b"\n", "the header has a cell of more than 131072 characters", "line ends"),
        (b"a," * (1 << 22), "the header has more than 4 MiB", "line ends"),
    ],
    ids=range(14),
)
@pytest.mark.parametrize("door", DOORS)
def test_a_header_that_cannot_be_read_is_told_in_the_same_words_at_every_door(door, content, says, cure):
    says = says[0].upper() + says[1:] if door is uploaded else f"t.csv: {says}"
    with pytest.raises((TableError, Refusal)) as caught:
        door(content)
    told = caught.value.detail if door is uploaded else str(caught.value)
    assert told.startswith(f"{says}. ") and cure in told


def test_a_bound_of_columns_is_kept_where_there_is_one():
    assert len(header_of(b"a,b,c\n").names) == 3
    with pytest.raises(TableError, match="the table has 3 columns; expected at most 2"):
        read_header(io.BytesIO(b"a,b,c\n").read, 2)


@pytest.mark.parametrize("part", ['"', ',"', ',"",""', '""', ", ", "\t", ',"a""'])
def test_no_header_takes_long(part):
    begun = time.process_time()
    with suppress(TableError):
        header_of((part * 1_000_000)[:1_000_000].encode())
    assert time.process_time() - begun < 10


def test_a_header_of_many_columns_is_read_at_once():
    names = tuple(f"x{place}" for place in range(50_000))
    begun = time.process_time()
    assert learned(",".join(names).encode()) == (names, [])
    assert time.process_time() - begun < 10  # seconds; comparing each name with each takes a minute


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a", "a"),
        (" a\t", "a"),
        ('"a"', "a"),
        (' " a " ', "a"),
        ('"say ""a"""', 'say "a"'),
        ('""', ""),
        ("", ""),
        ('"', '"'),
        ('"""', '"""'),
        ('"a', '"a'),
        ('"a" or "b"', '"a" or "b"'),
        ("'a'", "'a'"),
        ('"1234"', "1234"),
        ('"a\0"', "a\0"),
        ('"a\nb"', "a\nb"),
        ('"" ""', '"" ""'),
    ],
)
def test_bare(text, expected):
    assert bare(text) == expected


@pytest.mark.parametrize(
    "row, says",
    [
        (["1", "2"], ""),
        (["1"], "expected 2 cells, got 1"),
        ([], "expected 2 cells, got 0"),
        (["1", ' "a', 'b"'], "expected 2 cells, got 3; remove the blank before the quote"),
        (None, "the row cannot be read: one of its cells is too long"),
    ],
)
def test_shape_error(row, says):
    assert shape_error(row, 2) == says
