"""What the application serves: one problem, its champion's bundle, and the loaded model."""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from slipway.model.bundle import Bundle
from slipway.model.contents import schema_of
from slipway.problem import Problem
from slipway.serving.counters import Metrics
from slipway.serving.decoder import Decoder
from slipway.serving.keys import Keys
from slipway.serving.refusal import Refusal
from slipway.store.local import open_store
from slipway.table.rules import LISTED, NO_ANSWER, FieldProblem, rows_without_answer
from slipway.table.schema import Columns

if TYPE_CHECKING:
    from slipway.model.predictor import Prediction, Predictor


# What pages and probes read of the bundle after the start.
DOCUMENTS = ("schema.json", "model.json", "golden.json", "metrics.json", "fit.svg", "report.html")


class Service:
    """Found as ``app.extensions["slipway"]``.

    Parameters
    ----------
    problem : Problem
    bundle : Bundle
        Verified; what pages show of it is read here, for its folder may go. Its model is loaded at first use in each
        process, because a session does not survive a fork.
    verdict : mapping
        Of the gate, as the pointer tells it.
    keys : Keys
    release, commit : str
        What the release program says it runs; empty elsewhere.
    """

    def __init__(
        self, problem: Problem, bundle: Bundle, verdict: Mapping, keys: Keys, release: str = "", commit: str = ""
    ) -> None:
        self.problem = problem
        self.bundle = bundle.hold(DOCUMENTS)
        self.digest = bundle.digest
        self.verdict = verdict
        self.keys = keys
        self.release = release
        self.commit = commit
        self.schema = schema_of(bundle)
        self.decoder = Decoder(self.schema, problem.serving)
        self.metrics = Metrics(problem.name, bundle.digest)
        self._lock = threading.Lock()
        self._predictor: Predictor | None = None
        self._process = 0
        self._replayed = False

    @property
    def predictor(self) -> "Predictor":
        """The loaded model of this process."""
        if self._process != os.getpid():
            self.load()
        return self._predictor

    def load(self) -> None:
        """Load the model for this process; BundleError when it is broken."""
        with self._lock:
            if self._process != os.getpid():
                # Here, not above: once ONNX Runtime is loaded a process must not fork; its workers abort at their end.
                from slipway.model.predictor import Predictor

                self._predictor = Predictor(self.bundle)
                self._replayed = False
                self._process = os.getpid()

    def require_ready(self) -> None:
        """Replay the golden predictions, once per process; BundleError when one differs."""
        predictor = self.predictor
        if not self._replayed:
            predictor.replay()
            self._replayed = True

    def predict(self, columns: Columns) -> "Prediction":
        """Answer rows; a number too large for double precision becomes infinite without a warning."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.predictor.predict(columns)

    def answers(self, columns: Columns) -> list[dict]:
        """The answers as JSON has them: ``prediction``, and ``probabilities`` by label; Refusal when one is none."""
        prediction = self.predict(columns)
        odd = (rows_without_answer(prediction.values, prediction.probabilities) + 1).tolist()
        if odd:
            problems = [FieldProblem(row, None, "not_finite", NO_ANSWER) for row in odd[:LISTED]]
            raise Refusal(422, "The model has no finite answer for some rows.", problems, {"not_finite": len(odd)})
        if prediction.probabilities is None:
            return [{"prediction": value} for value in prediction.values]
        classes = self.predictor.classes
        return [
            {"prediction": label, "probabilities": dict(zip(classes, row))}
            for label, row in zip(prediction.values, prediction.probabilities.tolist())
        ]


def open_service(problem: Problem, environ: Mapping[str, str] = os.environ) -> Service:
    """The service of a problem's champion.

    Raises
    ------
    StoreError
        When there is no champion.
    BundleError
        When the champion's bundle is missing, damaged or of another problem.
    """
    store = open_store(problem.folder)
    pointer = store.require_pointer()
    bundle = store.bundle(pointer.digest)
    bundle.require_problem(problem.name)
    keys = Keys(environ.get("SLIPWAY_API_KEYS"))
    release, commit = environ.get("SLIPWAY_RELEASE", ""), environ.get("SLIPWAY_COMMIT", "")
    return Service(problem, bundle, pointer.verdict, keys, release, commit)
