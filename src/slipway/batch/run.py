"""A batch: read, answer and write in step, with a mark every second, so that the next run resumes there."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from slipway.batch.input import Source
from slipway.batch.output import Output, rejects_text
from slipway.batch.place import Growth, Place, Target, alone
from slipway.batch.record import Mark, Record
from slipway.batch.rows import Position, Rows
from slipway.batch.scorer import Scorer
from slipway.errors import TableError
from slipway.store.atomic import unwritable
from slipway.threads import cores

SECONDS = 1.0  # between two marks, each of which waits for the disk
SHARE = 0.05  # of the time, at most, that is spent on marks
HEADER = b"source,row,reason\n"
Tell = Callable[[Mark, str], None]


@dataclass(frozen=True)
class Batch:
    """What is to be done.

    Parameters
    ----------
    source : Source
    scorer : Scorer
    output : Output
    out : Target
    rejects : Place
    record : Record
    strict : bool
        Whether the first row that cannot be answered ends it.
    """

    source: Source
    scorer: Scorer
    output: Output
    out: Target
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
        When the input cannot be read or the output not be written; what is done is kept for the next run, as far as the
        disk has room. With ``strict`` also at the first row that cannot be answered; then nothing is kept.
    """
    with ExitStack() as locks:
        for each in (batch.out, batch.rejects):  # OUT of another run may have the same file of rejects
            locks.enter_context(alone(each.unfinished.with_suffix(".lock"), each.location))
        mark, done = _found(batch, tell)
        if batch.source.note:
            tell(Mark(), f"Note: {batch.source.note}.")
        if mark is None or not done:
            try:
                mark = _score(batch, mark, tell)
            except Stopped:
                batch.record.remove()
                batch.out.discard()
                batch.rejects.discard()
                raise
        _finish(batch)
        batch.record.remove()
        return mark


def _found(batch: Batch, tell: Tell) -> tuple[Mark | None, bool]:
    """The mark of an earlier run to go on from, and whether only its end is left to do."""
    mark, done, why = batch.record.read()
    if mark and done and batch.out.grows_in_sight:
        mark, done, why = None, False, "it was complete"  # IN may have got rows since
    if mark and done and not all(each.is_done or each.holds(0) for each in (batch.out, batch.rejects)):
        mark, done, why = None, False, "its output is gone"
    if mark and not done and not (batch.out.holds(mark.written) and batch.rejects.holds(mark.refused)):
        mark, why = None, "its unfinished files are gone"
    if why:
        tell(Mark(), f"Cannot resume the earlier run ({why}); starting over.")
    elif mark:
        tell(mark, f"Resuming after row {mark.rows:,}, where the earlier run ended.")
    if mark is None:
        batch.record.remove()
    return mark, done


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
        due = monotonic() + SECONDS
        try:
            for mark in _appended(batch, mark, out, rejects):  # noqa: B020 - a failure leaves the latest mark
                begun = monotonic()
                if begun >= due:
                    _keep(batch, mark, out, rejects)
                    due = _due_after(begun)
                tell(mark, "")
        except Stopped:
            raise
        except BaseException:
            _leave(batch, mark, out, rejects, tell)
            raise
        if not mark.rows:
            raise Stopped(f"{batch.source.location}: has {'a header but ' if batch.source.sheet else ''}no rows")
        _keep(batch, mark, out, rejects, done=True)
    return mark


def _appended(batch: Batch, mark: Mark, out: Growth, rejects: Growth) -> Iterator[Mark]:
    """Write the rows behind a mark; each block's end is a mark."""
    for done in _answered(batch, mark.position):
        _refuse(batch, done)
        out.append(done.encoded)
        rejects.append(done.rejects)
        mark = Mark(done.position, mark.scored + done.scored, mark.rejected + done.rejected, out.size, rejects.size)
        yield mark


def _refuse(batch: Batch, done: "Done") -> None:
    if batch.strict and done.first_reason:
        raise Stopped(done.first_reason, "Without --strict such rows go to a file of rejects")


def _keep(batch: Batch, mark: Mark, *files: Growth, done: bool = False) -> None:
    for file in files:
        file.sync()
    if batch.source.identity is not None:
        batch.record.write(mark, done)


def _due_after(begun: float) -> float:
    """When the next mark is due, after one that was begun then and is made now."""
    now = monotonic()
    return now + max(SECONDS, (now - begun) / SHARE)


def _leave(batch: Batch, mark: Mark, out: Growth, rejects: Growth, tell: Tell) -> None:
    """Keep what is whole of a run that breaks off, for whatever reason, and say how much it is."""
    with suppress(TableError, OSError):  # on a full disk perhaps; then the mark before counts
        if mark.rows:
            out.cut(mark.written)  # a part of a block would take the room that the mark needs
            rejects.cut(mark.refused)
            _keep(batch, mark, out, rejects)
    kept, _, _ = batch.record.read()
    if kept:
        tell(kept, f"The first {kept.rows:,} rows are kept: run the same command again to resume.")


@dataclass(frozen=True)
class Done:
    """A block that was answered: what is to be written of it."""

    position: Position
    scored: int
    rejected: int
    encoded: Any
    rejects: bytes
    first_reason: str


def _answered(batch: Batch, position: Position) -> Iterator[Done]:
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
                raise unwritable(place.unfinished, error, TableError) from error
            place.put(file)
