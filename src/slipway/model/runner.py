"""One member of a model: encode, run its ONNX graph, apply the link in double precision."""

import os
from collections.abc import Callable
from threading import local
from typing import TYPE_CHECKING

import numpy as np

from slipway.errors import BundleError, TableError
from slipway.model.bundle import Bundle
from slipway.model.contents import Member
from slipway.model.encoding import Encoding
from slipway.model.typed_document import Draft, unfit
from slipway.table.schema import Columns, Schema

if TYPE_CHECKING:  # see _session
    from onnxruntime import InferenceSession

INPUT = "rows"
OUTPUT = "raw"
TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class Runner:
    """Answers typed columns with what one member says.

    Create it after a fork: an ONNX Runtime session does not survive one.

    Parameters
    ----------
    bundle : Bundle or Draft
        Has the graph.
    schema : Schema
    member : Member

    Raises
    ------
    BundleError
        When the encoding does not fit the schema, or the graph the encoding.

    Attributes
    ----------
    weight : float
        Of its scores among those of all members.
    """

    def __init__(self, bundle: Bundle | Draft, schema: Schema, member: Member) -> None:
        self.encoding = Encoding(schema, member.encoding.outputs, member.encoding.features)
        try:
            odd = self.encoding.unfit
        except TableError as error:
            raise unfit(bundle, "model.json", f"encoding: {error.cause}") from error
        if odd:
            raise unfit(bundle, "model.json", f"encoding: {odd.kind} of {odd.field} does not fit schema.json")
        self.weight = member.weight
        self._base = np.array(member.base, dtype=np.float64)
        self._link = LINKS[member.link]
        self._dtype = np.dtype(member.input)
        self._session = _session(bundle, member.graph)
        if not _fits(self._session, member):
            raise unfit(bundle, member.graph, "its inputs and outputs differ from those in model.json")
        self._one_row = _OneRow(self._session)
        self._has_parts: bool = self._session.get_outputs()[0].shape[1] == 2 * len(self._base)

    @property
    def has_trees(self) -> bool:
        """Whether the graph is one of trees: no other answers every score in two parts."""
        return self._has_parts

    def scores(self, columns: Columns) -> np.ndarray:
        """Its scores for n rows, of shape (n, scores)."""
        return self.answers(self.encoding.encode(columns))

    def answers(self, matrix: np.ndarray) -> np.ndarray:
        """The scores of n rows that are encoded."""
        if len(matrix) == 1:
            parts = self._one_row.answer(matrix)
        else:
            given = matrix.astype(self._dtype, copy=False)
            parts = self._session.run([OUTPUT], {INPUT: given})[0].astype(np.float64, copy=False)
        width = len(self._base)
        # A tree graph answers every score in two float32 parts whose sum is the double (see training/fitting/export.py).
        raw = parts[:, :width] + parts[:, width:] if self._has_parts else parts
        return self._link(raw + self._base)


class _OneRow(local):
    """One row's way through the graph; each thread has its own input and output, which to bind takes longer than to run."""

    def __init__(self, session: "InferenceSession") -> None:
        read, answered = session.get_inputs()[0], session.get_outputs()[0]
        self._read, self._answered = (np.empty((1, one.shape[1]), dtype=TYPES[one.type]) for one in (read, answered))
        self._session = session
        self._binding = session.io_binding()
        for bind, name, array in (
            (self._binding.bind_input, INPUT, self._read),
            (self._binding.bind_output, OUTPUT, self._answered),
        ):
            bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def answer(self, matrix: np.ndarray) -> np.ndarray:
        """What the graph answers to a matrix of one row, in doubles."""
        self._read[:] = matrix
        self._session.run_with_iobinding(self._binding)
        return self._answered.astype(np.float64)


def _session(bundle: Bundle | Draft, graph: str) -> "InferenceSession":
    """An ONNX Runtime session; the library loads here, because a process that has loaded it must not fork."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # telemetry is on by default
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one thread a worker; more only fight over the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(bundle.read(graph), options, providers=["CPUExecutionProvider"])
    except BundleError:
        raise
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types of its own here
        raise unfit(bundle, graph, f"ONNX Runtime cannot load it ({error})") from error


def _fits(session: "InferenceSession", member: Member) -> bool:
    read = [(one.name, one.type, one.shape[1:]) for one in session.get_inputs()]
    kind = {"float32": "tensor(float)", "float64": "tensor(double)"}[member.input]
    answered = [(one.name, one.shape[1:]) for one in session.get_outputs()]
    parts = [[(OUTPUT, [count * len(member.base)])] for count in (1, 2)]
    known = session.get_outputs()[0].type in TYPES
    return known and read == [(INPUT, kind, [len(member.encoding.outputs)])] and answered in parts


def sigmoid(raw: np.ndarray) -> np.ndarray:
    small: np.ndarray = np.exp(-np.abs(raw))
    shares: np.ndarray = np.where(raw >= 0, 1.0, small) / (1 + small)
    return shares


def _softmax(raw: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _identity(raw: np.ndarray) -> np.ndarray:
    return raw


LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": _identity,
    "expm1": np.expm1,
    "sigmoid": sigmoid,
    "softmax": _softmax,
}
