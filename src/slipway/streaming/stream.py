"""What a consumer needs of a broker, and what passes between them."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Away(Exception):
    """The broker cannot be reached, or cannot take more, for now; its text is for a person."""


class Message(NamedTuple):
    """One row on its way in.

    Attributes
    ----------
    id : str
        Names it for good: the id of an entry, or topic/partition/offset.
    body : bytes or None
        Its JSON; None when it has none.
    native : object
        As the client of the broker has it.
    """

    id: str
    body: bytes | None
    native: Any = None


class Reply(NamedTuple):
    """What comes of a message: an answer or, where `refused`, a problem; both are JSON."""

    message: Message
    document: bytes
    refused: bool


class Names(NamedTuple):
    """The streams or topics that are read and written, and who reads."""

    source: str
    answers: str
    dead: str
    group: str


class Stream(Protocol):
    """A broker. Every method raises Away, or StreamError for what no waiting cures."""

    def read(self, most: int) -> Sequence[Message]:
        """The next messages, and those that a consumer left behind; none after about a second without any."""

    def settle(self, replies: Sequence[Reply]) -> None:
        """Write answers and dead letters; then, once they are safe, acknowledge their messages. May be repeated."""

    def waiting(self) -> int | None:
        """How many messages nobody has read or acknowledged; None when the broker does not know."""

    def close(self) -> None:
        """Leave the group."""
