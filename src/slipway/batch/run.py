"""A batch: read, answer and write in step, with a mark now and then, so that a run that is killed goes on from there."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from slipway.batch.output import rejects_text
from slipway.batch.place import Growing, Place, alone
from slipway.batch.record import Gone, Mark, Record, full
from slipway.batch.rows import Rows
from slipway.batch.scorer import Scorer
from slipway.batch.source import Source
from slipway.errors import TableError
from slipway.threads import cores

BLOCKS = 4  # between two marks, each of which waits for the disk
ANEW = "An earlier run was not finished, and {}: this one begins anew"
HEADER = b"source,row,reason\n"
Tell = Callable[[Mark, str], None]


@dataclass(frozen=True)
class Batch:
    """What is to be done.

    Parameters
    ----------
    source : Source
    scorer : Scorer
    output : object
        One of `slipway.batch.output`.
    out, rejects : Place
    record : Record
    strict : bool
        Whether the first row that cannot be answered ends it.
    """

    source: Source
    scorer: Scorer
    output: Any
    out: Place
    rejects: Place
    record: Record
    strict: bool


class Stopped(TableError):
    """The batch ends here, and nothing of it is kept."""


def run(batch: Batch, tell: Tell) -> Mark:
    """Answer all rows, or the rest of them after a run that was killed; how many were scored and rejected.

    Parameters
    ----------
    batch : Batch
    tell : callable
        Told each mark that is reached, and a sentence when there is something to say.

    Raises
    ------
    TableError
        When the input cannot be read or the output not be written; what is done is kept for the next run. With
        ``strict`` also at the first row that cannot be answered; then nothing is kept.
    """
    with ExitStack() as locks:
        for each in (batch.out, batch.rejects):  # OUT of another run may have the same file of rejects
            locks.enter_context(alone(each.unfinished.with_suffix(".lock"), each.location))
        mark, done = _found(batch, tell)
        if batch.source.note:
            tell(Mark(), f"Note: {batch.source.note}.")
        if not done:
            try:
                mark = _rest(batch, mark, tell)
            except Stopped:
                batch.record.remove()
                batch.out.discard()
                batch.rejects.discard()
                raise
            batch.record.write(mark, done=True)
        _finish(batch)
        batch.record.remove()
        return mark


def _found(batch: Batch, tell: Tell) -> tuple[Mark | None, bool]:
    """The mark of an earlier run to go on from, and whether only its end is left to do."""
    mark, done, why = batch.record.read()
    if mark and done and not all(each.is_done or each.holds(0) for each in (batch.out, batch.rejects)):
        mark, done, why = None, False, "its output is gone"
    if mark and not done and not (batch.out.holds(mark.written) and batch.rejects.holds(mark.refused)):
        mark, why = None, "its unfinished files are gone"
    if why:
        tell(Mark(), f"{ANEW.format(why)}.")
    elif mark:
        tell(mark, f"Going on after row {mark.scored + mark.rejected:,}, where an earlier run ended.")
    if mark is None:
        batch.record.remove()
    return mark, done


def _rest(batch: Batch, mark: Mark | None, tell: Tell) -> Mark:
    try:
        return _score(batch, mark, tell)
    except Gone as gone:
        tell(Mark(), f"{ANEW.format(gone.cause)}.")
        batch.record.remove()
        return _score(batch, None, tell)


def _score(batch: Batch, mark: Mark | None, tell: Tell) -> Mark:
    fresh, mark = mark is None, mark or Mark()
    if batch.strict and batch.out.grows_in_sight:  # what readers see at once is only begun when all of it is good
        for done in _answered(batch, {}):
            _refuse(batch, done)
    with ExitStack() as stack:
        out = stack.enter_context(batch.out.grow(mark.written))
        rejects = stack.enter_context(batch.rejects.grow(mark.refused))
        if fresh:
            out.append(batch.output.begin())
            rejects.append(HEADER)
        for number, done in enumerate(_answered(batch, mark.position), 1):
            _refuse(batch, done)
            out.append(done.encoded)
            rejects.append(done.rejects)
            mark = Mark(done.position, mark.scored + done.scored, mark.rejected + done.rejected, out.size, rejects.size)
            if number % BLOCKS == 0:
                _keep(batch, mark, out, rejects)
            tell(mark, "")
        if not mark.scored + mark.rejected:
            raise Stopped(f"{batch.source.location}: has a header but no rows")
        _sync(out, rejects)
    return mark


def _refuse(batch: Batch, done: "Done") -> None:
    if batch.strict and done.first_reason:
        raise Stopped(done.first_reason, "Without --strict such rows go to a file of rejects")


def _keep(batch: Batch, mark: Mark, *files: Growing) -> None:
    _sync(*files)
    batch.record.write(mark)


def _sync(*files: Growing) -> None:
    for file in files:
        file.sync()


@dataclass(frozen=True)
class Done:
    """A block that was answered: what is to be written of it."""

    position: Any
    scored: int
    rejected: int
    encoded: Any
    rejects: bytes
    first_reason: str


def _answered(batch: Batch, position: Any) -> Iterator[Done]:
    """The blocks from a position on, in order; as many are worked at as there are cores."""
    waiting: deque[Future[Done]] = deque()
    with ThreadPoolExecutor(cores(), "batch") as pool:
        try:
            for block in batch.source.read(position):
                waiting.append(pool.submit(_answer, batch, block))
                if len(waiting) > cores():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def _answer(batch: Batch, block: Callable[[], Rows]) -> Done:
    rows = block()
    answers = batch.scorer.answer(rows)
    rejected = len(answers.reasons)
    encoded = batch.output.encode(rows, answers)
    first = next((f"{rows.told(row)}, row {rows.first + row}: {why}" for row, why in answers.reasons.items()), "")
    return Done(rows.position, rows.count - rejected, rejected, encoded, rejects_text(rows, answers), first)


def _finish(batch: Batch) -> None:
    """Put the files in their places, the rejects first; each that is there already is left."""
    for place, make in ((batch.rejects, None), (batch.out, batch.output.finish)):
        if place.holds(0):
            try:
                file = make(place.unfinished) if make else place.unfinished
            except OSError as error:
                raise full(place.unfinished, error) from error
            place.put(file)
