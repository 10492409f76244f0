"""What the application serves: one problem, its champion's bundle, and the loaded model."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from flask import current_app
from markupsafe import Markup

from slipway.model.bundle import Bundle
from slipway.model.contents import golden_of, metrics_of, schema_of
from slipway.model.intervals import ENDS
from slipway.model.scoring import Answers, score
from slipway.problem import Problem
from slipway.report.documents import documents_of, joined
from slipway.report.page import body
from slipway.serving.access import write_access
from slipway.serving.call import Answered, Asked, Call
from slipway.serving.counters import Metrics
from slipway.serving.decoder import Decoded, Decoder
from slipway.serving.keys import Keys
from slipway.serving.recorder import Recorder, as_read
from slipway.serving.refusal import Refusal
from slipway.store.local import open_store
from slipway.table.faults import LISTED, NO_ANSWER, FieldProblem, by_reason, tally_key
from slipway.table.rules import rules_of
from slipway.table.schema import Columns

if TYPE_CHECKING:
    from slipway.model.predictor import Predictor


# What pages and probes read of the bundle after the start.
DOCUMENTS = ("schema.json", "model.json", "golden.json", "metrics.json", "evaluation.json")


class Service:
    """Found as ``app.extensions["slipway"]``, and by `current_service`.

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
    environ : mapping
        Where the prediction log is, and the key of its hashes.
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
        environ: Mapping[str, str] = os.environ,
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
        self.ids = [name for name in problem.id if name not in self.schema.names]
        self.decoder = Decoder(self.rules, problem.serving.max_rows, problem.unlearned | self.schema.unlearned, self.ids)
        self.metrics = Metrics(problem.name, bundle.digest)
        self.recorder = Recorder(problem, self.schema, bundle.digest, release, self.metrics, environ)
        if self.recorder.folder:
            self.metrics.show_last_look(self.recorder.folder)
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

    def answer(self, asked: Asked, call: Call) -> Answered:
        """Answer rows that count: scored, counted and logged, all before anything of it is sent.

        Parameters
        ----------
        asked : Asked
        call : Call
            Its `rows` are counted here.

        Raises
        ------
        Refusal
            When a row of a request that is answered as a whole has no finite answer.
        """
        answers = self.score(asked.columns, asked.reasons, asked.count)
        odd = sorted(answers.reasons.keys() - asked.reasons.keys()) if answers.reasons else []
        if odd and asked.whole:
            raise _infinite(odd)
        unlike = self.rules.unlike(answers.columns)
        warned = {tally_key(each.field, each.reason): len(each.rows) for each in unlike}
        warned.update(asked.warned)
        refused = {**asked.refused, tally_key(None, "not_finite"): len(odd)} if odd else asked.refused
        call.rows += len(answers.values)
        if refused:
            self.metrics.count_rejected(by_reason(refused))
        if warned:
            self.metrics.count_warned(by_reason(warned))
        chosen = answers.chosen
        self.recorder.record(call, answers, lambda: asked.rows(chosen), asked.numbers(chosen), warned, refused)
        return Answered(answers, unlike)

    def refused(self, counts: Mapping[str, int], call: Call, prediction: bool) -> None:
        """Count what was wrong with a call that was refused as a whole, and log it if it asked for a prediction."""
        if counts:
            self.metrics.count_rejected(by_reason(counts))
        if counts and prediction:
            self.recorder.record(call, None, tuple, None, {}, counts)

    def sent(self, call: Call, endpoint: str, method: str, path: str, status: int) -> None:
        """Count an answer whose last byte was sent, and write its line of the access log."""
        seconds = time.perf_counter() - call.started
        self.metrics.count_answer(endpoint, method, status, seconds, call.rows)
        write_access(call, method, path, status, self.digest, seconds)

    def asked(self, decoded: Decoded, whole: bool) -> Asked:
        """The rows of a request, answered as a `whole` or not at all, or each by itself."""
        reasons = dict.fromkeys(decoded.wrong, "")
        ignored = {tally_key(name, "ignored"): 1 for name in decoded.ignored}

        def rows(chosen: np.ndarray | None) -> Sequence[Any]:
            given = decoded.rows if chosen is None else [decoded.rows[row] for row in chosen.tolist()]
            if not decoded.objects:
                return given
            columns = decoded.columns if chosen is None else {name: each[chosen] for name, each in decoded.columns.items()}
            return as_read(self.schema, columns, given, self.ids)

        return Asked(decoded.columns, decoded.count, reasons, rows, decoded.counts, ignored, whole)

    def answers(self, decoded: Decoded, level: float | None = None) -> list[dict[str, Any]]:
        """The answers as JSON has them, of rows that do not count: see `told`."""
        answers = self.score(decoded.columns, {}, decoded.count)
        if answers.reasons:
            raise _infinite(sorted(answers.reasons))
        return self._documents(answers.between(self.intervals, level))

    def told(self, answers: Answers, decoded: Decoded, level: float | None = None) -> list[dict[str, Any]]:
        """The answers as JSON has them: ``prediction``, ``probabilities`` by label, and the ``id`` that a row came with.

        A row that is not answered has a null ``prediction``, and ``errors``. With a `level` of the bundle's intervals a number
        has ``low`` and ``high`` beside it.
        """
        found = self._documents(answers.between(self.intervals, level))
        if answers.chosen is not None:
            wrong = {row: decoded.wrong.get(row) or [_without_answer(row)] for row in answers.reasons}
            placed = dict(zip(answers.chosen.tolist(), found)) | {row: _refused(problems) for row, problems in wrong.items()}
            found = [placed[row] for row in range(decoded.count)]
        if self.ids:
            found = [
                {"id": names, **document} if names else document for document, names in zip(found, self.decoder.ids(decoded))
            ]
        return found

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


def _without_answer(row: int) -> FieldProblem:
    return FieldProblem(row + 1, None, "not_finite", NO_ANSWER)


def _infinite(rows: Sequence[int]) -> Refusal:
    problems = [_without_answer(row) for row in rows[:LISTED]]
    return Refusal(422, "No finite answer for some rows.", problems, {tally_key(None, "not_finite"): len(rows)})


def _refused(problems: Sequence[FieldProblem]) -> dict[str, Any]:
    return {"prediction": None, "errors": [problem.to_json() for problem in problems]}


def current_service() -> Service:
    """That of the application which answers now."""
    found: Service = current_app.extensions["slipway"]
    return found


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
    keys = Keys(environ)
    release, commit = environ.get("SLIPWAY_RELEASE", ""), environ.get("SLIPWAY_COMMIT", "")
    return Service(problem, bundle, store.verdict(pointer), keys, release, commit, store.verdicts(), environ)
