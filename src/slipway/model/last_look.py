"""What the last look of ``slipway watch`` left in the folder of the log, as a service shows it: a page, and figures."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

PAGE, FIGURES = "live.html", "live.json"
LARGEST = 8 << 20  # bytes of either: the page of 170 columns has half a megabyte


class LiveLoss(msgspec.Struct, frozen=True):
    """The loss of labelled rows; what is None, nobody can tell yet."""

    name: str
    mean: float | None = None
    low: float | None = None
    usual: float | None = None
    allowed: float | None = None


class Estimated(msgspec.Struct, frozen=True):
    """A loss to expect if only the rows have changed."""

    value: float


class Delay(msgspec.Struct, frozen=True):
    """Seconds from a prediction to its label: the median, and what 90 % of the labels need at most."""

    median: float
    ninety: float


class Figures(msgspec.Struct, frozen=True):
    """What is read of live.json; it has more (`slipway.monitoring.publication.figures`).

    Attributes
    ----------
    at : datetime
        In UTC.
    bundle : str
        Whose rows they are: a digest.
    outcome : str
        ``quiet``, ``drift``, ``worse`` or ``broken``; empty from an earlier version.
    train : bool
    effects : mapping of str to float
        Key of a column → how far it moved, in standard deviations.
    flagged : tuple of str
        Keys of columns.
    loss : LiveLoss or None
    expected : mapping of str to Estimated
    labelled : int
        Rows with a label.
    coverage : float or None
        Share of rows whose label is known, of days that most labels have come for.
    delay_seconds : Delay or None
    """

    at: datetime
    bundle: str
    outcome: str = ""
    train: bool = False
    effects: Mapping[str, float] = {}
    flagged: tuple[str, ...] = ()
    loss: LiveLoss | None = None
    expected: Mapping[str, Estimated] = {}
    labelled: int = 0
    coverage: float | None = None
    delay_seconds: Delay | None = None

    @property
    def timestamp(self) -> float:
        """Seconds since 1970."""
        return self.at.replace(tzinfo=self.at.tzinfo or UTC).timestamp()


def read_page(folder: Path) -> bytes:
    """The page.

    Raises
    ------
    OSError
        When there is none, or it cannot be read.
    ValueError
        When it is larger than any page that `slipway watch` writes.
    """
    return _read(folder / PAGE)


def read_figures(folder: Path) -> Figures:
    """The figures.

    Raises
    ------
    OSError
        When there are none, or they cannot be read.
    ValueError
        When they are damaged.
    """
    try:
        return msgspec.json.decode(_read(folder / FIGURES), type=Figures)
    except RecursionError as error:
        raise ValueError(f"{FIGURES} is nested too deeply") from error


def stamp(folder: Path) -> tuple[int, ...]:
    """Changes when the figures do; empty when there are none."""
    try:
        found = (folder / FIGURES).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> bytes:
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # nobody waits for a pipe
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path.name} has more than {LARGEST} bytes")
    return content
