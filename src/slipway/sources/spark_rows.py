"""Rows of a Spark table on their way to the driver: which ones a worker sends, and in what.

A parcel is some rows as one Arrow stream, the single cell of a row of Spark: so a million rows come as a few dozen.
"""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import pyarrow
from pyarrow import ipc

from slipway.table.arrow_cells import in_utc
from slipway.table.identity import row_hashes

EVERY = 1 << 64  # above all hashes
ROWS, SIZE = 1 << 16, 1 << 23  # of a parcel, whichever comes first
PACKED = ipc.IpcWriteOptions(compression="zstd")


class Choice(msgspec.Struct, frozen=True):
    """The rows to send: those whose hash of the columns `key` is below `limit`.

    The limit is a text, as MessagePack has no number as large as `EVERY`.
    """

    key: tuple[str, ...]
    limit: str

    def of(self, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        limit = int(self.limit)
        if limit >= EVERY:
            return batch
        return batch.filter(pyarrow.array(row_hashes(batch, self.key) < np.uint64(limit)))


def choice(key: Iterable[str], limit: int) -> bytes:
    """A choice as workers get it."""
    return msgspec.msgpack.encode(Choice(tuple(key), str(limit)))


def parcels(given: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """On a worker: the chosen rows of one partition, a parcel a batch; none where nothing was chosen."""
    chosen = msgspec.msgpack.decode(given, type=Choice)
    waiting: list[pyarrow.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        kept = in_utc(chosen.of(batch))
        if kept.num_rows:
            waiting.append(kept)
            rows, size = rows + kept.num_rows, size + kept.nbytes
        if rows >= ROWS or size >= SIZE:
            yield _parcel(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield _parcel(waiting)


def _parcel(batches: list[pyarrow.RecordBatch]) -> pyarrow.RecordBatch:
    sink = pyarrow.BufferOutputStream()
    with ipc.new_stream(sink, batches[0].schema, options=PACKED) as stream:
        stream.write_batch(pyarrow.concat_batches(batches))
    return pyarrow.record_batch({"rows": pyarrow.array([sink.getvalue().to_pybytes()], pyarrow.binary())})


def opened(parcel: bytes | bytearray) -> Iterator[pyarrow.RecordBatch]:
    """In the driver: the rows of a parcel."""
    with ipc.open_stream(pyarrow.py_buffer(parcel)) as stream:
        yield from stream
