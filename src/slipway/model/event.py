"""What one call leaves: an event, a line of the prediction log.

The log is a folder. In ``raw/date=2026-11-22/bundle=8821177e2697/`` each process writes a file of its own, a line for each
event; while it is written its name ends in ``.jsonl.open`` and its process has locked it, afterwards in ``.jsonl``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from slipway.model.raw_files import CLOSED, FOLDER, OPEN, RAW

__all__ = ["CLOSED", "FOLDER", "FORM", "OPEN", "RAW", "SHORT", "VARIABLE", "Event", "read_events", "to_line"]

VARIABLE = "SLIPWAY_LOG"  # names the folder
FORM = 1
SHORT = 12  # digits of a digest in the name of a folder


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answers to one call, or to a part of a table that was uploaded.

    Attributes
    ----------
    v : int
        Version of this form.
    at : str
        UTC, as 2026-11-22T09:00:00.123Z.
    id : str
        Of the request, as X-Request-ID has it.
    bundle : str
        Digest of the bundle that answered.
    release : str
    client : str
        Which API key asked: the first eight digits of its SHA-256; empty without keys.
    share : float
        Part of all calls that is logged, chosen by the hash of `id`.
    rows : sequence
        Features and ids of each row that was answered, as a request carries them, without what is to be left out.
    numbers : sequence of int or None
        The place of each row in the request, from 0; None when all rows were answered: then it is its place here.
    answers : sequence
        Per row a predicted number, the probability of the positive label, or the probabilities of several labels.
    warned, refused : mapping of str to int
        ``field/reason`` → how many cells. Those refused are only counted, never kept.
    """

    v: int = FORM
    at: str
    id: str
    bundle: str
    release: str = ""
    client: str = ""
    share: float = 1.0
    rows: list[Any] = []
    numbers: list[int] | None = None
    answers: list[Any] = []
    warned: Mapping[str, int] = {}
    refused: Mapping[str, int] = {}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def to_line(event: Event) -> bytes:
    """An event as a line of the log."""
    return _ENCODER.encode(event) + b"\n"


def read_events(content: bytes) -> Iterator[Event | None]:
    """The events of a file, in their order; None for a line that is torn or of no known form."""
    for line in content.splitlines():
        try:
            yield _DECODER.decode(line)
        except msgspec.DecodeError:
            yield None
