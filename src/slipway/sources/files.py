"""CSV and Parquet files, and globs of them, as one frame."""

from pathlib import Path

import pandas as pd
import pyarrow

from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sources.csv import read_csv
from slipway.sources.paths import source_files

CSV = (".csv", ".csv.gz", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")


def read_table(problem: Problem) -> pd.DataFrame:
    """All files of the source as one frame: the cells of CSV as text, those of Parquet as they are typed.

    Raises
    ------
    TableError
        Naming the file, and the line or column where it is known.
    """
    paths = source_files(problem)
    frames = [read_file(path) for path in paths]
    columns = list(frames[0].columns)
    for path, frame in zip(paths[1:], frames[1:]):
        odd = sorted(set(columns) ^ set(frame.columns))
        if odd:
            where = path if odd[0] in columns else paths[0]
            raise TableError(f"{where}: has no column {odd[0]!r}, unlike the other files of the source")
    frame = pd.concat([each[columns] for each in frames], ignore_index=True) if len(frames) > 1 else frames[0]
    if frame.empty:
        raise TableError(f"{paths[0]}: has a header but no rows")
    return frame


def read_file(path: Path) -> pd.DataFrame:
    """One file as a frame."""
    name = path.name.lower()
    if name.endswith(PARQUET):
        try:
            return pd.read_parquet(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise TableError(f"{path}: cannot be read as Parquet ({error})") from error
    if name.endswith(CSV):
        return read_csv(path)
    raise TableError(f"{path}: is neither CSV ({', '.join(CSV)}) nor Parquet ({', '.join(PARQUET)}) by its name")
