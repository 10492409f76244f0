"""CSV as people save it: with or without a byte order mark, CRLF, final newline; commas, semicolons or tabs."""

import csv
import gzip
from pathlib import Path

import pandas as pd

from slipway.errors import TableError

SEPARATORS = ",;\t|"
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
        frame = pd.read_csv(
            path, sep=separator, dtype=str, header=0, names=range(len(names)), index_col=False,
            keep_default_na=False, na_filter=False, encoding="utf-8-sig", skip_blank_lines=True,
            on_bad_lines="error", low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8 text ({error.reason})", "Save it as UTF-8") from error
    except (pd.errors.ParserError, csv.Error) as error:
        raise TableError(f"{path}: {_parser_says(error)}", "Every row needs as many cells as the header") from error
    except (OSError, EOFError) as error:
        raise TableError(f"{path}: cannot be read ({error})") from error
    except pd.errors.ParserWarning as error:
        raise TableError(f"{path}: {error}") from error
    frame.columns = names
    _require_full(frame, path)
    return frame


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


def _require_full(frame: pd.DataFrame, path: Path) -> None:
    """Refuse rows that are too short: pandas fills them up with NaN, which no cell of text can be."""
    short = frame.iloc[:, -1].isna()
    if short.any():
        row = int(short.to_numpy().argmax()) + 1
        raise TableError(f"{path}: row {row} has fewer cells than the header ({len(frame.columns)})")


def _parser_says(error: Exception) -> str:
    said = str(error).removeprefix("Error tokenizing data. C error: ").strip()
    return said[:1].lower() + said[1:]
