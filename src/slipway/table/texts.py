"""What a column of texts says when all of it says one kind of thing: whole numbers, numbers or dates; else it stays text."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from slipway.table.cell import Reader
from slipway.table.dates import ISO, parse_datetime

# 007 and more than 18 digits stay texts, because a number would lose a part of them; so do parts of a millisecond
WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})", re.ASCII)
NUMBER = re.compile(r"[+-]?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", re.ASCII)  # 1.234, which may be 1234
FINER = re.compile(r"\.\d{4}")


def whole(text: str) -> int:
    """A whole number; ValueError when the text is none."""
    if not WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def number(text: str) -> float:
    """A number; ValueError when the text is none."""
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    value = float(text)
    if WHOLE.fullmatch(text) and int(text) != value:  # above 2^53 not every whole number is one
        raise ValueError(text)
    return value


def moment(text: str) -> datetime:
    """The datetime, in UTC, of an ISO 8601 text; ValueError when it is none."""
    if not ISO.fullmatch(text) or FINER.search(text):
        raise ValueError(text)
    return parse_datetime(text)


class Texts:
    """The texts of one column, seen piece by piece; then `values` reads each as what all of them are.

    Parameters
    ----------
    reader : Reader
        How its cells are read.
    category : bool
        Whether they are levels, which stay as they are whatever they look like.
    """

    def __init__(self, reader: Reader, category: bool = False) -> None:
        self._reader = reader
        self._kinds: list[Callable[[str], Any]] = [] if category else [whole, number, moment]
        self._any = False
        self._clear = reader.format is not None  # whether a dot is a decimal mark for sure

    def see(self, texts: Iterable[str | None]) -> None:
        """Look at some of the texts."""
        if not self._kinds:
            return
        known = {text for text in map(self._reader.text, set(texts)) if text is not None}
        self._any = self._any or bool(known)
        self._clear = self._clear or any("." in text and not GROUPED.fullmatch(text) for text in known)
        self._kinds = [kind for kind in self._kinds if all(_says(text, kind) for text in known)]

    def values(self, texts: Iterable[str | None]) -> list[Any]:
        """What the texts say, None for a missing cell; where they are just texts only a blank one is missing."""
        if not self._any or not self._kinds or self._kinds[0] is number and not self._clear:
            return [text if text and not text.isspace() else None for text in texts]
        kind = self._kinds[0]
        return [None if text is None else kind(text) for text in map(self._reader.text, texts)]


def _says(text: str, kind: Callable[[str], Any]) -> bool:
    try:
        kind(text)
    except (ValueError, OverflowError):  # the second: a date of the year 1 that a zone takes before it
        return False
    return True
