"""What is written of the calls that count: an event for the prediction log, before the answer is sent."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from slipway.errors import ProblemError
from slipway.model.event import FOLDER, VARIABLE, Event, to_line
from slipway.model.event_log import Counts, EventLog
from slipway.model.pseudonyms import pseudonyms_of
from slipway.model.scoring import Answers
from slipway.problem import Problem
from slipway.serving.access import STDERR, STDOUT, log_failure, moment, write_bytes, write_line
from slipway.serving.call import Call
from slipway.serving.typed_rows import by_name
from slipway.table.cell import request_rows
from slipway.table.schema import UNSEEN, Columns, Schema

# Of Lambda, Heroku and a box: the files in such a container end with it.
PASSING = ("AWS_LAMBDA_RUNTIME_API", "DYNO", "SLIPWAY_RELEASE")


class Recorder:
    """Writes events to where slipway.yaml says.

    Parameters
    ----------
    problem : Problem
    schema : Schema
    digest, release : str
        What answers.
    counts : Counts
    environ : mapping

    Raises
    ------
    ProblemError
        When ``log:`` names a column that no row has, or a key is missing for ``log.hash``.

    Attributes
    ----------
    folder : Path or None
        Of the log, if it is one of files.
    """

    def __init__(
        self, problem: Problem, schema: Schema, digest: str, release: str, counts: Counts, environ: Mapping[str, str]
    ) -> None:
        settings = problem.log
        self._pseudonyms = pseudonyms_of(settings, environ)
        for setting, columns in (("omit", settings.omit), ("hash", settings.hash)):
            if unknown := [name for name in columns if name not in schema.names and name not in problem.id]:
                cure = f"They are {', '.join([*schema.names, *problem.id][:20])}"
                raise ProblemError(f"log.{setting}: the model has no column {unknown[0]!r}", cure)
        self._omit = frozenset(settings.omit)
        self._is_private = bool(settings.omit or settings.hash)
        self._share = settings.share
        self._digest, self._release = digest, release
        self._counts = counts
        self._told: set[str] = set()  # reasons why rows were dropped
        self._log: EventLog | None = None
        self._to_stdout = settings.to == "stdout"
        self.folder = _folder(problem, environ) if settings.to == "files" else None
        if self.folder:
            self._log = EventLog(self.folder, digest, release, settings.max_bytes, self)
        if settings.to != "none":
            counts.count_logged(0)  # an alert tells a log that stays empty from one that nobody wants

    @property
    def is_on(self) -> bool:
        return self._log is not None or self._to_stdout

    def record(
        self,
        call: Call,
        answers: Answers | None,
        rows: Callable[[], Sequence[Any]],
        numbers: Sequence[int] | None,
        warned: Mapping[str, int],
        refused: Mapping[str, int],
    ) -> None:
        """Write what a call was answered, unless it is none of the share that is logged.

        Parameters
        ----------
        call : Call
        answers : Answers or None
            None when nothing was answered.
        rows : callable
            Gives the rows that were answered; only called when they are logged.
        numbers : sequence of int or None
            Their places in the request.
        warned, refused : mapping of str to int
            By field and reason.
        """
        if not self.is_on or not self._is_drawn(call.request_id):
            return
        try:
            event = Event(
                at=f"{moment()}Z",
                id=call.request_id,
                bundle=self._digest,
                release=self._release,
                client=call.client,
                share=self._share,
                rows=self._without_private(rows()) if answers else [],
                numbers=None if numbers is None else list(numbers),
                answers=_scores(answers) if answers else [],
                warned=warned,
                refused=refused,
            )
            self._write(event)
        except Exception as error:  # whatever it is: the answer matters more than its line
            log_failure(error, call.request_id)
            self.count_dropped(len(answers.values) if answers else 0, "failed")

    def count_logged(self, rows: int) -> None:
        self._counts.count_logged(rows)

    def count_dropped(self, rows: int, reason: str) -> None:
        """Count them, and say the first time why."""
        if reason not in self._told:
            self._told.add(reason)
            write_line(STDERR, {"error": "answered rows are not logged", "reason": reason})
        self._counts.count_dropped(rows, reason)

    def note_synced(self, at: float) -> None:
        self._counts.note_synced(at)

    def close(self) -> None:
        """Close the file of this process."""
        if self._log:
            self._log.close()

    def _write(self, event: Event) -> None:
        if self._log:
            self._log.write(to_line(event), len(event.rows))
        else:  # line by line: a pipe takes 4 kB in one piece, and lines of several workers must not mix
            written = [write_bytes(STDOUT, to_line(each)) for each in _apart(event)]
            if event.rows:
                self._counts.count_logged(sum(written))
            if not all(written):
                self.count_dropped(written.count(False) if event.rows else 0, "unwritable")

    def _is_drawn(self, request_id: str) -> bool:
        if self._share >= 1:
            return True
        return int.from_bytes(sha256(request_id.encode()).digest()[:8]) < self._share * 2**64

    def _without_private(self, rows: Sequence[Any]) -> list[Any]:
        if not self._is_private:
            return list(rows)
        of = self._pseudonyms.of
        return [{name: of(name, value) for name, value in by_name(row).items() if name not in self._omit} for row in rows]


def as_read(schema: Schema, columns: Columns, given: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as the log has them: features as they were read, unseen levels as they were given, and ids.

    Parameters
    ----------
    columns : mapping
        Typed.
    given : sequence of mapping
        The same rows as they came, by the names of their columns.
    """
    rows = [{name: value for name, value in row.items() if value is not None} for row in request_rows(schema, columns)]
    for field in schema:
        if field.type == "category":
            for place in np.flatnonzero(columns[field.name] == UNSEEN).tolist():
                rows[place][field.name] = str(given[place][field.name])
    for row, source in zip(rows, given):
        row.update({name: source[name] for name in ids if source.get(name) is not None})
    return rows


def _folder(problem: Problem, environ: Mapping[str, str]) -> Path | None:
    """Where the log is; None, which is said, where its files would be lost."""
    if given := environ.get(VARIABLE):
        return Path(given)
    if any(environ.get(name) for name in PASSING):
        write_line(STDERR, {"event": "answered rows are not logged", "reason": f"{VARIABLE} names no folder that stays"})
        return None
    return problem.folder / FOLDER


def _scores(answers: Answers) -> list[Any]:
    """Per row the number, the probability of the positive label, or those of several labels."""
    shares = answers.probabilities
    if shares is None:
        numbers: list[Any] = answers.values.tolist()
        return numbers
    found: list[Any] = shares[:, 1].tolist() if shares.shape[1] == 2 else shares.tolist()
    return found


def _apart(event: Event) -> list[Event]:
    """An event for each row; what was counted is with the first."""
    if len(event.rows) < 2:
        return [event]
    numbers = event.numbers if event.numbers is not None else range(len(event.rows))
    parts = [
        msgspec.structs.replace(event, rows=[row], answers=[answer], numbers=[number], warned={}, refused={})
        for row, answer, number in zip(event.rows, event.answers, numbers)
    ]
    return [msgspec.structs.replace(parts[0], warned=event.warned, refused=event.refused), *parts[1:]]
