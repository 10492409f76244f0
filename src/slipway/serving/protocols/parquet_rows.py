"""Rows of a Parquet file, where pyarrow is installed; nothing else of the service may import it."""

from collections.abc import Sequence
from typing import Any

import pyarrow
from pyarrow import parquet

from slipway.serving.decoder import Decoder
from slipway.serving.refusal import Refusal
from slipway.table.arrow_cells import python_cells


def read_rows(content: bytes, names: Sequence[str], decoder: Decoder) -> list[dict[str, Any]]:
    """The columns that are named, as far as there are such, of as many rows as the decoder takes.

    Raises
    ------
    Refusal
        422 when it is not Parquet, or has no rows; 413 for too many.
    """
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        decoder.require_rows(file.metadata.num_rows)
        wanted = [name for name in names if name in file.schema_arrow.names]
        table = file.read(columns=wanted, use_threads=False)
        columns = [python_cells(table.column(name)) for name in wanted]
    except (pyarrow.ArrowException, OSError) as error:
        raise Refusal(422, "The body is not a Parquet file that can be read.") from error
    return [dict(zip(wanted, row)) for row in zip(*columns)]
