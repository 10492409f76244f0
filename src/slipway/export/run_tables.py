"""The curves and tables of an evaluation as CSV files, which the page of a run shows, and which people compare over runs."""

import csv
import io
from collections.abc import Iterable, Sequence

from slipway.model.contents import Estimate, Metrics
from slipway.model.evaluation import Evaluation
from slipway.report.numbers import settings

Rows = Iterable[Sequence[object]]
INTERVAL = ("value", "low", "high")


def tables(metrics: Metrics, found: Evaluation | None) -> dict[str, str]:
    """Path → CSV, of what the evaluation has; None for a bundle of a format without one."""
    board = [(one.candidate, one.mean, one.error, settings(one.settings), one.reason) for one in metrics.leaderboard]
    named = {"leaderboard": (("candidate", "mean", "error", "settings", "not eligible"), board)}
    of = named | _of_evaluation(found) if found else named
    return {f"curves/{name}.csv": _csv(head, rows) for name, (head, rows) in of.items() if rows}


def _of_evaluation(found: Evaluation) -> dict[str, tuple[tuple[str, ...], list[tuple[object, ...]]]]:
    labels = [one.label for one in found.classes]
    rates = ("threshold", "precision", "recall", "false_positive_rate", "accuracy", "f1", "cost")
    reliability = found.reliability.bins if found.reliability else ()
    residuals = found.residuals.bands if found.residuals else ()
    intervals = found.intervals.levels if found.intervals else ()
    return {
        "threshold": (rates, [tuple(getattr(point, rate) for rate in rates) for point in found.curve]),
        "reliability": (
            ("predicted", "rows", *INTERVAL),
            [(one.predicted, one.rows, *_of(one.observed)) for one in reliability],
        ),
        "confusion": (("actual", *labels), [(label, *row) for label, row in zip(labels, found.confusion)]),
        "residuals": (
            ("low", "high", "rows", "q10", "median", "q90"),
            [(one.low, one.high, one.rows, one.q10, one.median, one.q90) for one in residuals],
        ),
        "intervals": (("level", *INTERVAL), [(one.level, *_of(one.coverage)) for one in intervals]),
        "importance": (("field", *INTERVAL), [(one.field, *_of(one.loss)) for one in found.importance]),
        "learning": (("rows", *INTERVAL), [(one.rows, *_of(one.estimate)) for one in found.learning_curve]),
    }


def _of(one: Estimate) -> tuple[float, float, float]:
    return one.value, one.low, one.high


def _csv(head: Sequence[str], rows: Rows) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([head, *rows])
    return file.getvalue()
