"""What a training ended with, and how a notebook shows it."""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd

from slipway.model.bundle import Bundle
from slipway.model.contents import Metrics, metrics_of
from slipway.model.tables import Predictor
from slipway.report.numbers import aligned, number
from slipway.training.verdict.gate import Verdict


@dataclass(frozen=True)
class Outcome:
    """What a training ended with.

    Parameters
    ----------
    bundle : Bundle
        The challenger.
    verdict : Verdict
    champion : str or None
        Digest of the champion that it met.
    latency_us : float
        How long one row takes the model that serves, on this machine, in microseconds.
    estimated_us : float or None
        The same by the estimate that ``serving.max_row_microseconds`` limits; None for a model that was fitted elsewhere.
    """

    bundle: Bundle
    verdict: Verdict
    champion: str | None
    latency_us: float
    estimated_us: float | None = None

    @cached_property
    def metrics(self) -> Metrics:
        """What was measured on the held-out rows, the leaderboard and the notes."""
        return metrics_of(self.bundle)

    @cached_property
    def predictor(self) -> Predictor:
        """The model, to answer rows with."""
        return Predictor(self.bundle)

    @property
    def report(self) -> Path:
        """The report, an HTML file."""
        return self.bundle.folder / "report.html"

    @property
    def leaderboard(self) -> pd.DataFrame:
        """What was compared, the best first: candidate, settings, mean of the metric over the folds and its standard error."""
        ranked = self.metrics.leaderboard
        return pd.DataFrame(
            {
                "candidate": [one.candidate for one in ranked],
                self.metrics.metric: [one.mean for one in ranked],
                "error": [one.error for one in ranked],
                "settings": [", ".join(f"{key} {value}" for key, value in one.settings.items()) for one in ranked],
            }
        )

    def __str__(self) -> str:
        lines = [f"{self.verdict.outcome}: {self.bundle.digest[:12]}", *self.verdict.reasons]
        for name, one in self.metrics.holdout.metrics.items():
            value, low, high = aligned([one.value, one.low, one.high])
            lines.append(f"{name} {value} ({low} to {high}) on {self.metrics.holdout.rows} held-out rows")
        return "\n".join([*lines, *self.metrics.notes])

    def _repr_html_(self) -> str:
        head, *reasons = str(self).splitlines()
        told = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
        table = self.leaderboard.to_html(index=False, float_format=number)
        report = f"<p>Report: <code>{escape(str(self.report))}</code></p>"
        return f"<p><strong>{escape(head)}</strong></p><ul>{told}</ul>{table}{report}"
