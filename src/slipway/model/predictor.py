"""A bundle that answers: the weighted sum of what the members of its model say.

Both the service and the gate use it, so a model is judged by exactly what will answer in production.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from slipway.errors import BundleError
from slipway.model.bundle import Bundle
from slipway.model.contents import Answer, Calibration, golden_of, model_of, schema_of
from slipway.model.explanation import Contributions, contributions
from slipway.model.runner import Runner, sigmoid
from slipway.model.typed_document import Draft, unfit
from slipway.table.cell import columns_from_rows
from slipway.table.schema import Columns

RELATIVE = 1e-5
ABSOLUTE = 1e-6


class Prediction(msgspec.Struct, frozen=True):
    """Answers for n rows.

    Attributes
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

    Parameters
    ----------
    bundle : Bundle or Draft
    runner : type, optional
        Of its members.

    Raises
    ------
    BundleError
        When a file of the bundle does not fit the others.
    """

    def __init__(self, bundle: Bundle | Draft, runner: type[Runner] = Runner) -> None:
        self.bundle = bundle
        self.digest = bundle.digest
        self.schema = schema_of(bundle)
        self.model = model = model_of(bundle)
        self.task = model.task
        self.target = model.target
        self.classes = model.classes
        self.threshold = model.threshold
        self._members = [runner(bundle, self.schema, member) for member in model.members]

    @property
    def positive(self) -> str | None:
        return self.classes[1] if self.task == "binary" else None

    @property
    def has_trees(self) -> bool:
        """Whether a member is made of trees."""
        return any(member.has_trees for member in self._members)

    def scores(self, columns: Columns) -> np.ndarray:
        """Predicted numbers (n,), P(positive) (n,), or class probabilities (n, classes)."""
        first, *others = self._members
        scores = first.scores(columns)
        if others:
            scores = sum((each.weight * each.scores(columns) for each in others), start=first.weight * scores)
        if self.task == "multiclass":
            return scores
        return calibrated(scores[:, 0], self.model.calibration)

    def predict(self, columns: Columns) -> Prediction:
        """Answer each row."""
        values, probabilities = self.answers(columns)
        return Prediction(values.tolist(), probabilities)

    def answers(self, columns: Columns) -> tuple[np.ndarray, np.ndarray | None]:
        """The same, with the values as an array of doubles or of labels."""
        return self.decided(self.scores(columns))

    def decided(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and probabilities from the scores of rows."""
        if self.task == "regression":
            return scores, None
        return np.array(self.labels(scores), dtype=object), self.probabilities(scores)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """That of each class, of shape (n, classes), from the scores of a classification."""
        if self.task == "multiclass":
            return scores
        found = np.empty((len(scores), 2))
        found[:, 0], found[:, 1] = 1 - scores, scores
        return found

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

    @property
    def sample(self) -> int:
        """How many golden rows there are."""
        return len(golden_of(self.bundle).rows)

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


def calibrated(scores: np.ndarray, calibration: Calibration | None) -> np.ndarray:
    """Scores as a binary model answers them: its calibrated probabilities, all else as it is."""
    if calibration is None:
        return scores
    with np.errstate(divide="ignore"):  # a probability of 0 or 1 stays one
        logits = np.log(scores) - np.log1p(-scores)
    return sigmoid(calibration.slope * logits + calibration.shift)


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
