"""How answered rows are written: what is appended to the unfinished file, and what is made of it at the end."""

import csv
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow
from pyarrow import compute, ipc, parquet
from pyarrow import csv as arrow

from slipway.batch.rows import Rows
from slipway.errors import TableError
from slipway.model.scoring import Answers
from slipway.table.csv_rows import pieces
from slipway.table.dialect import Header


class Output(Protocol):
    """How answered rows are written. What it encodes is what the `slipway.batch.place.Growth` of its place takes."""

    def begin(self) -> Any:
        """What is appended before the rows."""

    def encode(self, rows: Rows, answers: Answers) -> Any:
        """The answered rows, as they are appended."""

    def finish(self, unfinished: Path) -> Path:
        """The file to put in its place, made of all that was appended."""


@dataclass(frozen=True)
class CsvLines:
    """CSV from CSV: each line as it stands, with the answer behind it.

    Parameters
    ----------
    header : Header
    added : tuple of str
        Names of the columns of the answer.
    """

    header: Header
    added: tuple[str, ...]

    @property
    def separator(self) -> bytes:
        return self.header.separator.encode()

    @property
    def line_end(self) -> bytes:
        return self.header.line_end.encode()

    def begin(self) -> bytes:
        names = [_quoted(name, self.separator) for name in self.added]
        return self.separator.join([self.header.raw, *names]) + self.line_end

    def encode(self, rows: Rows, answers: Answers) -> memoryview:
        """The answered rows, as they are appended."""
        lines = rows.originals if answers.chosen is None else rows.originals.take(pyarrow.array(answers.chosen))
        columns, notes = _texts(answers, self.separator)
        line_end, separator, nothing = _array([self.line_end, self.separator, b""])
        tails = line_end if notes is None else compute.binary_join_element_wise(notes, line_end, nothing)
        return _content(compute.binary_join_element_wise(lines, *columns, tails, separator))

    def finish(self, unfinished: Path) -> Path:
        return unfinished


@dataclass(frozen=True)
class CsvCells:
    """CSV from typed cells."""

    names: tuple[str, ...]
    added: tuple[str, ...]

    def begin(self) -> bytes:
        return b",".join(_quoted(name, b",") for name in self.names + self.added) + b"\n"

    def encode(self, rows: Rows, answers: Answers) -> bytes:
        """The answered rows, as they are appended."""
        table = chosen_cells(rows, answers)
        columns, notes = _texts(answers, b",", quoted=False)
        for name, text in zip(self.added, [*columns, notes]):
            texts = pyarrow.repeat("", len(table)) if text is None else text.cast(pyarrow.string())
            table = table.append_column(name, texts)
        written = io.BytesIO()
        try:
            arrow.write_csv(table, written, arrow.WriteOptions(include_header=False, quoting_style="needed"))
        except pyarrow.ArrowException as error:
            odd = next((each for each in table.schema if pyarrow.types.is_nested(each.type)), None)
            told = f"column {odd.name!r}: CSV cannot hold the type {odd.type}" if odd else f"is no CSV ({error})"
            raise TableError(f"{rows.where}: {told}", "Write Parquet: -o FILE.parquet") from error
        return written.getvalue()

    def finish(self, unfinished: Path) -> Path:
        return unfinished


@dataclass(frozen=True)
class Packed:
    """CSV whose every block is a gzip member; what was appended can be cut off again."""

    inner: CsvLines | CsvCells

    def begin(self) -> bytes:
        return _packed(self.inner.begin())

    def encode(self, rows: Rows, answers: Answers) -> bytes:
        """The answered rows, as they are appended."""
        return _packed(self.inner.encode(rows, answers))

    def finish(self, unfinished: Path) -> Path:
        return unfinished


@dataclass(frozen=True)
class ParquetRows:
    """Parquet: Arrow streams one behind the other, and at the end a Parquet file of them."""

    added: tuple[str, ...]

    def begin(self) -> bytes:
        return b""

    def encode(self, rows: Rows, answers: Answers) -> bytes:
        """The answered rows, as they are appended."""
        table = chosen_cells(rows, answers).replace_schema_metadata()
        for name, values in zip(self.added, answer_columns(answers)):
            table = table.append_column(name, values)
        written = pyarrow.BufferOutputStream()
        with ipc.new_stream(written, table.schema, options=ipc.IpcWriteOptions(compression="lz4")) as stream:
            stream.write_table(table)
        content: bytes = written.getvalue().to_pybytes()
        return content

    def finish(self, unfinished: Path) -> Path:
        """The file of all that was appended."""
        draft = unfinished.with_name(unfinished.name + ".parquet")
        try:
            _assemble(unfinished, draft)
        except pyarrow.ArrowException as error:
            draft.unlink(missing_ok=True)
            raise TableError(f"{unfinished}: cannot become one Parquet file ({error})", "Write CSV instead") from error
        except OSError:
            draft.unlink(missing_ok=True)  # on a full disk it would be in the way
            raise
        return draft


def _assemble(unfinished: Path, draft: Path) -> None:
    schema = pyarrow.unify_schemas([table.schema for table in _tables(unfinished)], promote_options="permissive")
    with parquet.ParquetWriter(draft, schema) as writer:
        for table in _tables(unfinished):
            filled = pyarrow.concat_tables([schema.empty_table(), table], promote_options="permissive")
            writer.write_table(filled.cast(schema))
    with draft.open("rb") as file:  # or a power cut could leave it empty in its place
        os.fsync(file.fileno())


def _tables(path: Path) -> Iterator[pyarrow.Table]:
    with pyarrow.OSFile(str(path)) as file:
        while file.tell() < file.size():
            with ipc.open_stream(file) as stream:
                yield stream.read_all()


def chosen_cells(rows: Rows, answers: Answers) -> pyarrow.Table:
    """The cells of the answered rows."""
    table = rows.cells if isinstance(rows.cells, pyarrow.Table) else pyarrow.table(rows.cells)
    return table if answers.chosen is None else table.take(pyarrow.array(answers.chosen))


def answer_columns(answers: Answers) -> list[pyarrow.Array]:
    """The answer as typed columns: prediction, what is beside it, warning."""
    kind = pyarrow.string() if answers.probabilities is not None else pyarrow.float64()
    beside = [] if answers.beside is None else [pyarrow.array(each) for each in answers.beside.T]
    notes = answers.warnings or [""] * len(answers.values)
    return [pyarrow.array(answers.values, kind), *beside, pyarrow.array(notes, pyarrow.string())]


def _texts(answers: Answers, separator: bytes, quoted: bool = True) -> tuple[list[pyarrow.Array], pyarrow.Array | None]:
    """The answer as columns of text, and its warnings as one more; None when there are none."""
    write = (lambda text: _quoted(text, separator)) if quoted else str.encode
    if answers.probabilities is None:
        columns = [numbers_text(answers.values)]
    else:
        labels = {label: write(label) for label in set(answers.values.tolist())}
        columns = [_array([labels[value] for value in answers.values.tolist()])]
    if answers.beside is not None:
        columns += [numbers_text(each) for each in answers.beside.T]
    return columns, None if answers.warnings is None else _array([write(note) for note in answers.warnings])


def _array(texts: list[bytes]) -> pyarrow.BinaryArray:
    return pieces(b"".join(texts), np.cumsum([0, *map(len, texts)]))


def numbers_text(values: np.ndarray) -> pyarrow.BinaryArray:
    """Numbers as Python writes them, the shortest digits that say exactly this number."""
    text = msgspec.json.encode(values.tolist())  # [1.5,2.5]: each text is behind a bracket or a comma
    commas = np.flatnonzero(np.frombuffer(text, np.uint8) == ord(","))
    begins = np.concatenate([[0], commas, [len(text) - 1]] if len(values) else [[0]])
    texts = compute.binary_slice(pieces(text, begins), 1, len(text))  # pyarrow 26 fails without an end
    sizes = np.abs(values)
    odd = (sizes >= 1e16) | (sizes < 1e-4) & (sizes > 0)
    if odd.any():
        with_exponents = [repr(value).encode() for value in values[odd].tolist()]  # as Python writes them
        texts = compute.replace_with_mask(texts, pyarrow.array(odd), pyarrow.array(with_exponents, pyarrow.binary()))
    return texts


def _content(texts: pyarrow.BinaryArray) -> memoryview:
    """All texts, one behind the other."""
    _, offsets, content = texts.buffers()
    return memoryview(content)[: np.frombuffer(offsets, np.int32)[len(texts)]] if len(texts) else memoryview(b"")


def _quoted(text: str, separator: bytes) -> bytes:
    """A cell of CSV, in quotes where it needs them."""
    needs = any(sign in text for sign in ('"', "\n", "\r", separator.decode()))
    return ('"' + text.replace('"', '""') + '"' if needs else text).encode()


def _packed(content: bytes | memoryview) -> bytes:
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(content) + pack.flush() if content else b""


def rejects_text(rows: Rows, answers: Answers) -> bytes:
    """The rows that were not answered: where they are, their number, and why not."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([rows.told(place), rows.first + place, reason] for place, reason in answers.reasons.items())
    return text.getvalue().encode()
