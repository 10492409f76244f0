"""live.json: what answers in production are compared with.

All of it was measured on the rows held out, as the twin answers them: a model is at its usual there, and has learned none
of them. Which of them it needs is the monitor's business; here is enough to tell whether the answers moved, whether the
loss grew, and what the loss would be if nothing but the rows had changed.
"""

import msgspec

from slipway.model.bundle import Bundle
from slipway.model.typed_document import Draft, document_of


class Loss(msgspec.Struct, frozen=True):
    """The loss of a row: its mean over the rows, and its standard deviation."""

    mean: float
    deviation: float


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """live.json.

    Attributes
    ----------
    rows : int
        How many rows were held out.
    edges, counts : tuple
        The distribution of the scores in at most ten bins of about as many rows each: predicted numbers, probabilities of the
        positive label, or those of the label that was answered.
    labels : mapping
        Label → rows that it was answered to; none for numbers.
    errors : tuple of float
        Of numbers: the mean absolute error in each bin.
    scores, shares : tuple of float
        Of labels: corners of the isotonic curve from a score to the share of rows that were positive (of several labels:
        answered right), to be joined by straight lines.
    losses : mapping
        ``absolute_error`` and ``squared_error``, or ``log_loss``, ``error`` (0 or 1) and, if declared, ``cost``.
    """

    rows: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    labels: dict[str, int] = {}
    errors: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    losses: dict[str, Loss]


def reference_of(bundle: Bundle | Draft) -> Reference:
    """live.json; BundleError when it is invalid, or the bundle is of format 1, which has none."""
    return document_of(bundle, "live.json", Reference)
