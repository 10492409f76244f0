"""What a person is told when the outcome of a look is another than before: one message for all columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.monitoring.live_page import headline
from slipway.monitoring.watched import Watched
from slipway.table.faults import visible

SENTENCES = 10  # of the columns that moved most; the page has all
LONGEST = 300  # signs of a line


@dataclass(frozen=True)
class Message:
    """A message.

    Parameters
    ----------
    outcome : str
        Of the look that it tells of.
    title : str
        One line.
    text : str
        The title and all else, for a channel that has no title.
    """

    outcome: str
    title: str
    text: str

    @property
    def good(self) -> bool:
        return self.outcome == "quiet"


def message(of: Watched, page: str) -> Message:
    """The message on a look; `page` is where the page is.

    The names in it are those of training: nothing that a client sent is repeated.
    """
    title = _line(f"{of.problem}: {headline(of).lower()}")
    train = ["Train the next model: slipway train"] if of.decision.train else []
    text = [title, *of.decision.reasons, *_bounded(of.sentences), *train, f"{page} has the rest; slipway monitor opens it."]
    return Message(of.decision.outcome, title, "\n".join(map(_line, text)))


def _bounded(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - SENTENCES
    return [*sentences[:SENTENCES], *([f"{more} more columns moved."] if more > 0 else [])]


def _line(text: str) -> str:
    """Visible on one line: a name may have any sign, and a line break would end the header of a mail."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
