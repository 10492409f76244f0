"""A bundle that answers: encode, run the ONNX graph, apply the link in double precision.

Both the service and the gate use it, so a model is judged by exactly what will answer in production.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from slipway.errors import BundleError
from slipway.model.bundle import Bundle
from slipway.model.contents import Answer, Draft, Model, golden_of, model_of, schema_of, unfit
from slipway.model.encoding import Encoding
from slipway.model.explanation import Contributions, contributions
from slipway.table.cell import columns_from_rows
from slipway.table.schema import Columns

if TYPE_CHECKING:  # see _session
    from onnxruntime import InferenceSession

INPUT = "rows"
OUTPUT = "raw"
RELATIVE = 1e-5
ABSOLUTE = 1e-6


@dataclass(frozen=True)
class Prediction:
    """Answers for n rows.

    Parameters
    ----------
    values : list of float or list of str
        A number per row, or the label.
    probabilities : ndarray of shape (n, classes) or None
        In the order of the model's classes; None for regression.
    """

    values: list[Any]
    probabilities: np.ndarray | None


class Predictor:
    """Answers typed columns with what the bundle's model says.

    Create it after a fork: an ONNX Runtime session does not survive one.

    Raises
    ------
    BundleError
        When a file of the bundle does not fit the others.
    """

    def __init__(self, bundle: Bundle | Draft) -> None:
        self.bundle = bundle
        self.digest = bundle.digest
        self.schema = schema_of(bundle)
        self.model = model = model_of(bundle)
        self.encoding = Encoding(self.schema, model.encoding.outputs)
        if odd := self.encoding.unfit:
            raise unfit(bundle, "model.json", f"encoding: {odd.kind} of {odd.field} does not fit schema.json")
        self.task = model.task
        self.target = model.target
        self.classes = model.classes
        self.threshold = model.threshold
        self._base = np.array(model.base, dtype=np.float64)
        self._link = LINKS[model.link]
        self._dtype = np.dtype(model.input)
        self._session = _session(bundle)
        if not _fits(self._session, model):
            raise unfit(bundle, "model.onnx", "its inputs and outputs differ from those in model.json")

    @property
    def positive(self) -> str | None:
        return self.classes[1] if self.task == "binary" else None

    @property
    def has_trees(self) -> bool:
        """Whether the graph is one of trees: no other answers every score in two parts."""
        return bool(self._session.get_outputs()[0].shape[1] == 2 * len(self._base))

    def scores(self, columns: Columns) -> np.ndarray:
        """Predicted numbers (n,), P(positive) (n,), or class probabilities (n, classes)."""
        matrix = self.encoding.encode(columns).astype(self._dtype)
        parts = self._session.run([OUTPUT], {INPUT: matrix})[0].astype(np.float64)
        # A tree graph answers every score in two float32 parts whose sum is the double (see training.export).
        raw = parts.reshape(len(matrix), -1, len(self._base)).sum(axis=1) + self._base
        scores = self._link(raw)
        return scores if self.task == "multiclass" else scores[:, 0]

    def predict(self, columns: Columns) -> Prediction:
        """Answer each row."""
        scores = self.scores(columns)
        if self.task == "regression":
            return Prediction(scores.tolist(), None)
        probabilities = scores if self.task == "multiclass" else np.column_stack([1 - scores, scores])
        return Prediction(self.labels(scores), probabilities)

    def labels(self, scores: np.ndarray) -> list[str]:
        """The labels that scores stand for: the most probable class, or the threshold's verdict."""
        chosen = scores.argmax(axis=1) if self.task == "multiclass" else (scores >= self.threshold).astype(int)
        return [self.classes[code] for code in chosen.tolist()]

    def explained(self, columns: Columns) -> tuple[str, Callable[[Columns], np.ndarray]]:
        """What is explained of the answer to one row, for any rows: the number, or the probability of a label.

        The label comes first, empty for regression: the positive one, or of several classes that answered to this row.
        """
        if self.task == "regression":
            return "", self.scores
        if self.task == "binary":
            return self.classes[1], self.scores
        code = int(self.scores(columns)[0].argmax())
        return self.classes[code], lambda rows: self.scores(rows)[:, code]

    def contributions(self, columns: Columns) -> Contributions:
        """What each field of one row contributed to its answer, against the golden rows."""
        background, _ = self._golden()
        label, answer = self.explained(columns)
        return contributions(answer, columns, background, of=f"probability of {label}" if label else self.target)

    def replay(self) -> None:
        """Answer the golden rows again; BundleError when an answer differs from the recorded one."""
        columns, recorded = self._golden()
        answers = golden_answers(self, columns)
        for number, (expected, answer) in enumerate(zip(recorded, answers, strict=True), start=1):
            if not self._same(expected, answer):
                raise BundleError(
                    f"bundle {self.digest[:12]}: golden prediction {number} differs from the recorded one",
                    "The installed libraries differ from the locked ones, or the model file belongs to another bundle.",
                )

    def _golden(self) -> tuple[Columns, tuple[Answer, ...]]:
        """The golden rows, and the recorded answers to them."""
        golden = golden_of(self.bundle)
        for place, answer in enumerate(golden.predictions):
            labels = answer.get("probabilities", {}).keys()
            if labels != set(self.classes) or isinstance(answer["prediction"], str) != bool(labels):
                raise unfit(self.bundle, "golden.json", f"not an answer of this model - at `$.predictions[{place}]`")
        try:
            return columns_from_rows(self.schema, golden.rows), golden.predictions
        except (TypeError, ValueError) as error:
            raise unfit(self.bundle, "golden.json", f"rows: do not fit schema.json ({error})") from error

    def _same(self, expected: Answer, answer: Answer) -> bool:
        if self.task == "regression":
            return bool(close(expected["prediction"], answer["prediction"]))
        pairs = [(expected["probabilities"][name], answer["probabilities"][name]) for name in self.classes]
        near = self.threshold is not None and abs(pairs[1][1] - self.threshold) <= ABSOLUTE
        return all(close(*pair) for pair in pairs) and (near or expected["prediction"] == answer["prediction"])


def golden_answers(predictor: Predictor, columns: Columns) -> list[Answer]:
    """Predictions as golden.json records them."""
    answer = predictor.predict(columns)
    if answer.probabilities is None:
        return [{"prediction": value} for value in answer.values]
    return [
        {"prediction": value, "probabilities": dict(zip(predictor.classes, row))}
        for value, row in zip(answer.values, answer.probabilities.tolist())
    ]


def close(expected: ArrayLike, answer: ArrayLike) -> np.ndarray | np.bool:
    """Whether two answers agree: 1e-5 relative or 1e-6 absolute (elementwise for arrays)."""
    agree: np.ndarray | np.bool = np.abs(np.subtract(answer, expected)) <= np.maximum(ABSOLUTE, RELATIVE * np.abs(expected))
    return agree


def _session(bundle: Bundle | Draft) -> "InferenceSession":
    """An ONNX Runtime session; the library loads here, because a process that has loaded it must not fork."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # telemetry is on by default
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one thread a worker; more only fight over the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(bundle.read("model.onnx"), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types of its own here
        raise unfit(bundle, "model.onnx", f"ONNX Runtime cannot load it ({error})") from error


def _fits(session: "InferenceSession", model: Model) -> bool:
    read = [(one.name, one.type, one.shape[1:]) for one in session.get_inputs()]
    kind = {"float32": "tensor(float)", "float64": "tensor(double)"}[model.input]
    answered = [(one.name, one.shape[1:]) for one in session.get_outputs()]
    parts = [[(OUTPUT, [count * len(model.base)])] for count in (1, 2)]
    return read == [(INPUT, kind, [len(model.encoding.outputs)])] and answered in parts


def _sigmoid(raw: np.ndarray) -> np.ndarray:
    small: np.ndarray = np.exp(-np.abs(raw))
    return np.where(raw >= 0, 1 / (1 + small), small / (1 + small))


def _softmax(raw: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _identity(raw: np.ndarray) -> np.ndarray:
    return raw


LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": _identity,
    "expm1": np.expm1,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
}
