"""One figure of how the model fits the held-out rows, as SVG that is the same for the same numbers."""

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slipway.training.metrics import Scored

ACCENT = "#2f6f8f"
QUIET = "#9aa5ad"
STYLE: dict[Any, Any] = {"svg.hashsalt": "slipway", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
MOST_POINTS = 1_000
BINS = 10


def fit_svg(scored: Scored, classes: tuple[str, ...]) -> bytes:
    """Predicted against actual; calibration and distribution of P(positive); or the confusion of classes."""
    with matplotlib.rc_context(STYLE):
        if not classes:
            figure = _regression(scored)
        elif scored.threshold is not None:
            figure = _binary(scored, classes[1], scored.threshold)
        else:
            figure = _confusion(scored, classes)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _axes(number: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * number, 3.8), layout="constrained")
    axes = figure.subplots(1, number, squeeze=False)[0].tolist()
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _regression(scored: Scored) -> Figure:
    figure, (fit, errors) = _axes(2)
    y, predicted = scored.y[:MOST_POINTS], scored.scores[:MOST_POINTS]
    ends = [min(y.min(), predicted.min()), max(y.max(), predicted.max())]
    fit.plot(ends, ends, color=QUIET, linewidth=1)
    fit.scatter(predicted, y, s=9, color=ACCENT, alpha=0.5, linewidths=0)
    fit.set(title="Actual against predicted", xlabel="predicted", ylabel="actual")
    errors.hist(scored.scores - scored.y, bins=30, color=ACCENT)
    errors.set(title="Errors", xlabel="predicted − actual", ylabel="held-out rows")
    return figure


def _binary(scored: Scored, positive: str, threshold: float) -> Figure:
    figure, (calibration, spread) = _axes(2)
    edges = np.unique(np.quantile(scored.scores, np.linspace(0, 1, BINS + 1)))
    places = np.clip(np.searchsorted(edges, scored.scores, side="right") - 1, 0, max(len(edges) - 2, 0))
    used = np.unique(places)
    calibration.plot([0, 1], [0, 1], color=QUIET, linewidth=1)
    calibration.plot(
        [scored.scores[places == place].mean() for place in used],
        [scored.y[places == place].mean() for place in used],
        marker="o",
        color=ACCENT,
    )
    calibration.set(title="Calibration", xlabel=f"predicted probability of {_plain(positive)}", ylabel="actual share")
    for code, color in ((0, QUIET), (1, ACCENT)):
        spread.hist(
            scored.scores[scored.y == code],
            bins=20,
            range=(0, 1),
            color=color,
            alpha=0.7,
            label=_plain(positive) if code else f"not {_plain(positive)}",
        )
    spread.axvline(threshold, color="black", linewidth=1, linestyle="--")
    spread.set(title="Probabilities and threshold", xlabel="predicted probability", ylabel="held-out rows")
    spread.legend(frameon=False)
    return figure


def _confusion(scored: Scored, classes: tuple[str, ...]) -> Figure:
    figure, (axes,) = _axes(1)
    table = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(table, (scored.y.astype(int), scored.chosen()), 1)
    axes.imshow(table, cmap="Blues")
    names = [_plain(name) for name in classes]
    axes.set(
        title="Held-out rows by class",
        xlabel="predicted",
        ylabel="actual",
        xticks=range(len(classes)),
        yticks=range(len(classes)),
        xticklabels=names,
        yticklabels=names,
    )
    if len(classes) <= 20:
        for (row, column), count in np.ndenumerate(table):
            axes.text(
                column,
                row,
                count,
                ha="center",
                va="center",
                color="white" if count > table.max() / 2 else "black",
            )
    return figure


def _plain(label: str) -> str:
    """Keep matplotlib from reading a label as mathematics."""
    return label.replace("$", r"\$")
