"""How answered rows are written: what is appended to the unfinished file, and what is made of it at the end."""

import csv
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow
from pyarrow import csv as arrow
from pyarrow import ipc, parquet

from slipway.batch.rows import Rows
from slipway.errors import TableError
from slipway.model.scoring import Answers
from slipway.table.dialect import Header

AT_ONCE = 10_000


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

    def encode(self, rows: Rows, answers: Answers) -> bytes:
        """The answered rows, as they are appended."""
        lines = rows.originals if answers.chosen is None else [rows.originals[place] for place in answers.chosen.tolist()]
        written = []
        for begin in range(0, len(lines), AT_ONCE):  # the texts of all rows at once would take much room
            part = slice(begin, begin + AT_ONCE)
            columns, notes = _texts(_some(answers, part), self.separator)
            written.append(_joined([lines[part], *columns], notes, self.separator, self.line_end))
        return b"".join(written)

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
            table = table.append_column(name, pyarrow.array(_decoded(text, table.num_rows), pyarrow.string()))
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
        for name, values in zip(self.added, _columns(answers)):
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


def _columns(answers: Answers) -> list[pyarrow.Array]:
    """The answer as typed columns: prediction, what is beside it, warning."""
    kind = pyarrow.string() if answers.probabilities is not None else pyarrow.float64()
    beside = [] if answers.beside is None else [pyarrow.array(each) for each in answers.beside.T]
    notes = answers.warnings or [""] * len(answers.values)
    return [pyarrow.array(answers.values, kind), *beside, pyarrow.array(notes, pyarrow.string())]


def _some(answers: Answers, part: slice) -> Answers:
    """The answers of some of the rows."""
    return replace(
        answers,
        values=answers.values[part],
        probabilities=None if answers.probabilities is None else answers.probabilities[part],
        ends=None if answers.ends is None else answers.ends[part],
        warnings=answers.warnings and answers.warnings[part],
    )


def _texts(answers: Answers, separator: bytes, quoted: bool = True) -> tuple[list[list[bytes]], list[bytes] | None]:
    """The answer as columns of text, and its warnings as one more; None when there are none."""
    write = (lambda text: _quoted(text, separator)) if quoted else str.encode
    if answers.probabilities is None:
        columns = [numbers_text(answers.values.tolist())]
    else:
        labels = {label: write(label) for label in set(answers.values.tolist())}
        columns = [[labels[value] for value in answers.values.tolist()]]
    if answers.beside is not None:
        columns += [numbers_text(each.tolist()) for each in answers.beside.T]
    return columns, None if answers.warnings is None else [write(note) for note in answers.warnings]


def _decoded(texts: list[bytes] | None, count: int) -> list[str]:
    return [""] * count if texts is None else [text.decode() for text in texts]


def numbers_text(values: Sequence[float]) -> list[bytes]:
    """Numbers as Python writes them, the shortest digits that say exactly this number."""
    texts = msgspec.json.encode(values)[1:-1].split(b",") if values else []
    sizes = np.abs(values)
    for place in np.flatnonzero((sizes >= 1e16) | (sizes < 1e-4) & (sizes > 0)).tolist():
        texts[place] = repr(values[place]).encode()  # with the exponent that Python writes
    return texts


def _joined(columns: list[list[bytes]], last: list[bytes] | None, separator: bytes, line_end: bytes) -> bytes:
    """Lines of these columns; a last one of None is empty."""
    parts: list[Iterable[bytes]] = [each for column in columns for each in (column, repeat(separator))]
    parts += [repeat(line_end)] if last is None else [last, repeat(line_end)]
    return b"".join(chain.from_iterable(zip(*parts)))


def _quoted(text: str, separator: bytes) -> bytes:
    """A cell of CSV, in quotes where it needs them."""
    needs = any(sign in text for sign in ('"', "\n", "\r", separator.decode()))
    return ('"' + text.replace('"', '""') + '"' if needs else text).encode()


def _packed(content: bytes) -> bytes:
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(content) + pack.flush() if content else b""


def rejects_text(rows: Rows, answers: Answers) -> bytes:
    """The rows that were not answered: where they are, their number, and why not."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([rows.told(place), rows.first + place, reason] for place, reason in answers.reasons.items())
    return text.getvalue().encode()
