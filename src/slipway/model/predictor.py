"""A bundle that answers: encode, run the ONNX graph, apply the link in double precision.

Both the service and the gate use it, so a model is judged by exactly what will answer in production.
"""

import os
from dataclasses import dataclass

import numpy as np

from slipway.errors import BundleError
from slipway.model.bundle import TRAIN_AGAIN, Bundle
from slipway.model.encoding import Encoding
from slipway.model.explanation import Contributions, contributions
from slipway.table.schema import Columns, Schema

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

    values: list
    probabilities: np.ndarray | None


class Predictor:
    """Answers typed columns with what the bundle's model says.

    Create it after a fork: an ONNX Runtime session does not survive one.

    Raises
    ------
    BundleError
        When a file of the bundle does not fit the others.
    """

    def __init__(self, bundle: Bundle) -> None:
        model = bundle.json("model.json")
        self.bundle = bundle
        self.digest = bundle.digest
        self.model = model
        self.schema = Schema.from_json(bundle.json("schema.json"))
        try:
            self.encoding = Encoding.from_json(model["encoding"], self.schema)
            self.task: str = model["task"]
            self.target: str = model["target"]
            self.classes = tuple(model["classes"])
            self.threshold: float | None = model["threshold"]
            self._base = np.array(model["base"], dtype=np.float64)
            self._link = LINKS[model["link"]]
            self._dtype = np.dtype(model["input"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.folder / 'model.json'}: not a model ({error!r})", TRAIN_AGAIN) from error
        self._session = _session(bundle.read("model.onnx"))

    @property
    def positive(self) -> str | None:
        return self.classes[1] if self.task == "binary" else None

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

    def contributions(self, columns: Columns) -> Contributions:
        """What each field of one row contributed to its answer, against the golden rows."""
        background = self.schema.columns_from_rows(self.bundle.json("golden.json")["rows"])
        if self.task == "regression":
            return contributions(self.scores, columns, background, of=self.target)
        if self.task == "binary":
            return contributions(self.scores, columns, background, of=f"probability of {self.positive}")
        code = int(self.scores(columns)[0].argmax())
        return contributions(
            lambda rows: self.scores(rows)[:, code], columns, background, of=f"probability of {self.classes[code]}"
        )

    def replay(self) -> None:
        """Answer the golden rows again; BundleError when an answer differs from the recorded one."""
        golden = self.bundle.json("golden.json")
        answers = golden_answers(self, self.schema.columns_from_rows(golden["rows"]))
        for number, (expected, answer) in enumerate(zip(golden["predictions"], answers, strict=True), start=1):
            if not self._same(expected, answer):
                raise BundleError(
                    f"bundle {self.digest[:12]}: golden prediction {number} is not what was recorded",
                    "The libraries here differ from the locked ones, or the model file is not of this bundle.",
                )

    def _same(self, expected: dict, answer: dict) -> bool:
        if self.task == "regression":
            return close(expected["prediction"], answer["prediction"])
        pairs = [(expected["probabilities"][name], answer["probabilities"][name]) for name in self.classes]
        near = self.threshold is not None and abs(pairs[1][1] - self.threshold) <= ABSOLUTE
        return all(close(*pair) for pair in pairs) and (near or expected["prediction"] == answer["prediction"])


def golden_answers(predictor: Predictor, columns: Columns) -> list[dict]:
    """Predictions as golden.json records them: ``prediction``, and ``probabilities`` by label."""
    answer = predictor.predict(columns)
    if answer.probabilities is None:
        return [{"prediction": value} for value in answer.values]
    return [
        {"prediction": value, "probabilities": dict(zip(predictor.classes, row))}
        for value, row in zip(answer.values, answer.probabilities.tolist())
    ]


def close(expected, answer):
    """Whether two answers agree: 1e-5 relative or 1e-6 absolute (elementwise for arrays)."""
    return np.abs(answer - expected) <= np.maximum(ABSOLUTE, RELATIVE * np.abs(expected))


def _session(model: bytes):
    """An ONNX Runtime session; the library loads here, because a process that has loaded it must not fork."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it reports to its maker by default
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one thread a worker; more only fight over the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types of its own here
        raise BundleError(f"model.onnx: ONNX Runtime cannot load it ({error})") from error


def _sigmoid(raw: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(raw))
    return np.where(raw >= 0, 1 / (1 + small), small / (1 + small))


def _softmax(raw: np.ndarray) -> np.ndarray:
    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _identity(raw: np.ndarray) -> np.ndarray:
    return raw


LINKS = {"identity": _identity, "expm1": np.expm1, "sigmoid": _sigmoid, "softmax": _softmax}
