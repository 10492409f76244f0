"""What the application serves: one problem, its champion's bundle, and the loaded model."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from slipway.model.bundle import Bundle
from slipway.model.contents import golden_of, metrics_of, schema_of
from slipway.model.intervals import ENDS
from slipway.model.scoring import Answers, score
from slipway.problem import Problem
from slipway.report.documents import documents_of, joined
from slipway.report.page import body
from slipway.serving.counters import Metrics
from slipway.serving.decoder import Decoded, Decoder
from slipway.serving.keys import Keys
from slipway.serving.refusal import Refusal
from slipway.store.local import open_store
from slipway.table.faults import LISTED, NO_ANSWER, FieldProblem
from slipway.table.rules import rules_of
from slipway.table.schema import Columns

if TYPE_CHECKING:
    from slipway.model.predictor import Predictor


# What pages and probes read of the bundle after the start.
DOCUMENTS = ("schema.json", "model.json", "golden.json", "metrics.json", "evaluation.json")


class Service:
    """Found as ``app.extensions["slipway"]``.

    Parameters
    ----------
    problem : Problem
    bundle : Bundle
        Verified; what pages show of it is read here, for its folder may go. Its model is loaded at first use in each
        process, because a session does not survive a fork.
    verdict : mapping
        Of the gate, as verdict.json tells it.
    keys : Keys
    release, commit : str
        What the release program says it runs; empty elsewhere.
    verdicts : sequence of mapping
        On this bundle and others, the oldest first, as far as they are kept.
    """

    def __init__(
        self,
        problem: Problem,
        bundle: Bundle,
        verdict: Mapping[str, Any],
        keys: Keys,
        release: str = "",
        commit: str = "",
        verdicts: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.problem = problem
        self.bundle = bundle.hold(DOCUMENTS)
        self.digest = bundle.digest
        self.keys = keys
        self.release = release
        self.commit = commit
        self.schema = schema_of(bundle)
        self.measured = metrics_of(bundle)
        self.golden = golden_of(bundle)
        told = documents_of(bundle, problem.name, problem.purpose)
        self.documents = replace(joined(told, bundle.digest, verdict, verdicts), served=True)
        self.intervals = told.evaluation.intervals if told.evaluation else None
        self.rules = rules_of(self.schema, problem)
        self.decoder = Decoder(self.rules, problem.serving.max_rows, problem.unlearned | self.schema.unlearned)
        self.metrics = Metrics(problem.name, bundle.digest)
        self._lock = threading.Lock()
        self._predictor: Predictor  # of this process; `load` makes it
        self._process = 0  # that loaded it
        self._replayed = False

    @cached_property
    def report(self) -> Markup:
        """The report of the training, joined with the verdict; made when it is first asked for."""
        return body(self.documents)

    @property
    def by_importance(self) -> list[str]:
        """The fields, the most important first; those whose importance was not measured last."""
        ranked = [name for name, _ in self.measured.importance]
        return [*ranked, *(name for name in self.schema.names if name not in ranked)]

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

    def score(self, columns: Columns, reasons: Mapping[int, str], count: int) -> Answers:
        """Answer those of `count` rows that have no reason not to be; see `slipway.model.scoring.score`."""
        return score(self.predictor, columns, reasons, count)

    def answers(self, decoded: Decoded, partial: bool = False, level: float | None = None) -> list[dict[str, Any]]:
        """The answers as JSON has them: ``prediction``, and ``probabilities`` by label.

        With `partial` a row that cannot be answered has a null ``prediction``, and ``errors``. With a `level` of the
        bundle's intervals a number has ``low`` and ``high`` beside it.

        Raises
        ------
        Refusal
            Unless `partial`: when a row has no finite answer.
        """
        answers = self.score(decoded.columns, dict.fromkeys(decoded.wrong, ""), decoded.count)
        odd = sorted(answers.reasons.keys() - decoded.wrong) if answers.reasons else []
        infinite = [FieldProblem(row + 1, None, "not_finite", NO_ANSWER) for row in odd]
        if infinite and not partial:
            raise Refusal(422, "No finite answer for some rows.", infinite[:LISTED], {"not_finite": len(infinite)})
        found = self._documents(answers.between(self.intervals, level))
        if answers.chosen is None:
            return found
        wrong = {**decoded.wrong, **{row: [problem] for row, problem in zip(odd, infinite)}}
        placed = dict(zip(answers.chosen.tolist(), found)) | {row: _refused(problems) for row, problems in wrong.items()}
        return [placed[row] for row in range(decoded.count)]

    def _documents(self, answers: Answers) -> list[dict[str, Any]]:
        if answers.ends is not None:
            numbers = zip(answers.values.tolist(), answers.ends.tolist())
            return [{"prediction": value, **dict(zip(ENDS, ends))} for value, ends in numbers]
        if answers.probabilities is None:
            return [{"prediction": value} for value in answers.values.tolist()]
        classes = self.predictor.classes
        return [
            {"prediction": label, "probabilities": dict(zip(classes, row))}
            for label, row in zip(answers.values.tolist(), answers.probabilities.tolist())
        ]


def _refused(problems: Sequence[FieldProblem]) -> dict[str, Any]:
    return {"prediction": None, "errors": [problem.to_json() for problem in problems]}


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
    return Service(problem, bundle, store.verdict(pointer), keys, release, commit, store.verdicts())
