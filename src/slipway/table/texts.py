"""What a column of texts says when all of it says one kind of thing: whole numbers, numbers or dates; else it stays text."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from slipway.table.schema import ISO, MISSING_MARKERS

# 007 and more than 18 digits stay texts, because a number would lose a part of them; so do parts of a millisecond
WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})", re.ASCII)
NUMBER = re.compile(r"[+-]?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
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
    """The date-time, in UTC, of an ISO 8601 text; ValueError when it is none."""
    if not ISO.fullmatch(text) or FINER.search(text):
        raise ValueError(text)
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read


class Texts:
    """The texts of one column, seen piece by piece; then `value` reads each as what all of them are."""

    def __init__(self) -> None:
        self._kinds: list[Callable[[str], Any]] = [whole, number, moment]
        self._any = False

    def see(self, texts: Iterable[str | None]) -> None:
        """Look at some of the texts."""
        if not self._kinds:
            return
        stripped = {text.strip() for text in set(texts) if text is not None}
        known = {text for text in stripped if text.lower() not in MISSING_MARKERS}
        self._any = self._any or bool(known)
        self._kinds = [kind for kind in self._kinds if all(_says(text, kind) for text in known)]

    def values(self, texts: Iterable[str | None]) -> list:
        """What the texts say, None for a missing cell; where they are just texts only a blank one is missing."""
        if not self._any or not self._kinds:
            return [text if text and not text.isspace() else None for text in texts]
        kind = self._kinds[0]
        return [None if text is None or text.strip().lower() in MISSING_MARKERS else kind(text.strip()) for text in texts]


def _says(text: str, kind: Callable[[str], Any]) -> bool:
    try:
        kind(text)
    except (ValueError, OverflowError):  # the second: a date of the year 1 that a zone takes before it
        return False
    return True
