"""CSV as people save it: with or without a byte order mark, CRLF, final newline; commas, semicolons or tabs."""

import csv
import gzip
import re
from pathlib import Path

import pandas as pd
import pyarrow
from pyarrow import csv as arrow

from slipway.errors import TableError
from slipway.schema import SEPARATORS

INDEX = "Unnamed: 0"


def read_csv(path: Path) -> pd.DataFrame:
    """Every cell as text, untouched; the names in the header without blanks around them.

    A first column without a name (an index that pandas wrote) is called ``Unnamed: 0``.

    Raises
    ------
    TableError
        With the line: no header, a name given twice, a row of another length, text that is not UTF-8.
    """
    try:
        separator, names = _header(path)
        numbered = [str(place) for place in range(len(names))]
        table = arrow.read_csv(
            path,
            read_options=arrow.ReadOptions(
                column_names=numbered, skip_rows_after_names=1, use_threads=False  # threads lose the line of an error
            ),
            parse_options=arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(numbered, pyarrow.string()), strings_can_be_null=False
            ),
        )
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8 text ({error.reason})", "Save it as UTF-8") from error
    except (pyarrow.ArrowInvalid, csv.Error) as error:
        raise _refused(path, error) from error
    except (OSError, EOFError) as error:
        raise TableError(f"{path}: cannot be read ({error})") from error
    return table.rename_columns(names).to_pandas()


def _refused(path: Path, error: Exception) -> TableError:
    said = " ".join(str(error).removeprefix("CSV parse error: ").split())
    if "UTF8" in said:
        return TableError(f"{path}: is not UTF-8 text", "Save it as UTF-8")
    shape = re.match(r"(Row #(\d+): )?Expected (\d+) columns, got (\d+)", said)
    if not shape:
        return TableError(f"{path}: is not CSV ({said[:120]})")
    where = f", line {shape[2]}" if shape[2] else ""
    return TableError(
        f"{path}{where}: has {shape[4]} cells, the header {shape[3]}", "Every row needs as many cells as the header"
    )


def _header(path: Path) -> tuple[str, list[str]]:
    opened = gzip.open(path, "rt", encoding="utf-8-sig", newline="") if path.suffix == ".gz" else path.open(
        encoding="utf-8-sig", newline=""
    )
    with opened as file:
        first = next((line for line in file if line.strip()), "")
    if not first.strip():
        raise TableError(f"{path}: is empty")
    if "\0" in first:
        raise TableError(f"{path}: has NUL bytes; it is not a CSV file in UTF-8")
    separator = max(SEPARATORS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first.rstrip("\r\n")], delimiter=separator))]
    if names[0] == "":
        names[0] = INDEX
    if "" in names:
        raise TableError(f"{path}: column {names.index('') + 1} of the header has no name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{path}: the column {twice[0]!r} stands in the header twice")
    return separator, names
