"""A new table, read as its cells are written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slipway.table.cell import MISSING_MARKERS, Reader
from slipway.table.cells import Cells, cells_of
from slipway.table.detection import FEW, Found, find_all
from slipway.table.formats import format_of


@dataclass(frozen=True)
class Written:
    """The table, and how its columns of text are written.

    Parameters
    ----------
    frame : DataFrame
        Cells of a format as plain texts, and those that seem to mean a missing cell as missing.
    found : mapping
        Column of text → how its cells are written.
    markers : mapping
        Column of text → the texts in it that seem to mean a missing cell, with the number of cells of each.
    usual : mapping
        Column of text → the usual markers of missing cells in it, as they stand there.
    """

    frame: pd.DataFrame
    found: Mapping[str, Found]
    markers: Mapping[str, Mapping[str, int]]
    usual: Mapping[str, tuple[str, ...]]

    def found_in(self, name: str) -> Found:
        """How a column is written; nothing special when its cells are typed."""
        return self.found.get(name, Found())


def read_as_written(frame: pd.DataFrame) -> Written:
    """Find how the columns of text are written, and read them so; where it is open, by the first of the choices."""
    texts = {name: cells_of(frame[name]) for name in frame.columns if _is_text(frame[name])}
    found = find_all({name: cells.texts for name, cells in texts.items()})
    plain, markers = {}, {}
    for name, cells in texts.items():
        each = found[name]
        if 0 < len(each.odd) <= FEW:
            markers[name] = count(cells, each.odd)
        if each.format or each.choices or name in markers:
            plain[name] = _plain(frame[name], each, markers.get(name, ()))
    return Written(frame.assign(**plain), found, markers, {name: _usual(frame[name]) for name in texts})


def count(cells: Cells, texts: tuple[str, ...]) -> dict[str, int]:
    """In how many cells each of these texts stands."""
    counts = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))
    return {text: int(counts[cells.texts.index(text)]) for text in texts}


def _is_text(column: pd.Series) -> bool:
    return bool(column.dtype == "str" or column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string")


def _plain(column: pd.Series, found: Found, markers: Iterable[str]) -> pd.Series:
    example = found.format or (found.choices or [""])[0]
    cells = cells_of(column, Reader(markers, format_of(example) if example else None))
    return pd.Series(np.array([*cells.texts, None], dtype=object)[cells.codes], column.index, dtype="str")


def _usual(column: pd.Series) -> tuple[str, ...]:
    stripped = {text.strip() for text in column.dropna().unique()}
    return tuple(sorted(text for text in stripped if text.lower() in MISSING_MARKERS))
