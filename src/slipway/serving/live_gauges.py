"""The figures of the last look for Prometheus, read from live.json at each scrape: all workers have the same file."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from slipway.model.event import SHORT
from slipway.model.last_look import Figures, LiveLoss, read_figures, stamp
from slipway.serving.access import STDERR, write_line

OUTCOMES = ("quiet", "drift", "worse", "broken")
FIELD = "field/"  # what the keys of fields begin with; those of answers begin otherwise


class LiveGauges(Collector):
    """Gauges of what the last look found; none when there was none, or when its file is damaged, which is said once.

    The label ``bundle`` is that of the look, which after a release is an earlier one until the next look.

    Parameters
    ----------
    folder : Path
        Of the log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: tuple[tuple[int, ...], Figures | None] = (), None

    def collect(self) -> Iterator[Metric]:
        if figures := self._read():
            yield from families(figures)

    def _read(self) -> Figures | None:
        now, (seen, figures) = stamp(self._folder), self._last
        if now != seen:
            figures = self._fresh() if now else None
            self._last = now, figures
        return figures

    def _fresh(self) -> Figures | None:
        try:
            return read_figures(self._folder)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            write_line(STDERR, {"error": "live.json cannot be read: /metrics lacks the last look", "reason": reason})
            return None


def families(of: Figures) -> Iterator[Metric]:
    """The metrics of a look, each with the label ``bundle``."""
    loss = of.loss or LiveLoss("")
    yield _gauge("watch_run_timestamp_seconds", "When slipway watch last looked.", of, "", {"": of.timestamp})
    found = {outcome: float(outcome == of.outcome) for outcome in OUTCOMES}
    yield _gauge("watch_outcome", "What that look found: 1 for the outcome, 0 for others.", of, "outcome", found)
    yield _gauge("watch_train", "Whether it advises a training.", of, "", {"": float(of.train)})
    yield _gauge("drift_effect", "How far a column moved, in standard deviations.", of, "field", _by_field(of.effects))
    yield _gauge("drift_fields", "Columns that are flagged.", of, "", {"": float(len(of.flagged))})
    for end, help, value in (
        ("", "The mean loss of labelled rows.", loss.mean),
        ("_low", "What it is at least.", loss.low),
        ("_usual", "What it was on the hold-out.", loss.usual),
        ("_allowed", "What it may be at most.", loss.allowed),
    ):
        yield _gauge(f"live_loss{end}", help, of, "metric", {loss.name: value})
    expected = {name: one.value for name, one in of.expected.items()}
    yield _gauge("estimated_metric", "What a loss is if only the rows have changed.", of, "metric", expected)
    counted = CounterMetricFamily("slipway_labels", "Rows of the bundle with a label.", labels=["bundle"])
    counted.add_metric([of.bundle[:SHORT]], of.labelled)
    yield counted
    yield _gauge("label_coverage_ratio", "Share of rows whose label is known, of matured days.", of, "", {"": of.coverage})
    late = {"0.5": of.delay_seconds.median, "0.9": of.delay_seconds.ninety} if of.delay_seconds else {}
    yield _gauge("label_delay_seconds", "From a prediction to its label.", of, "quantile", late)


def _gauge(name: str, help: str, of: Figures, label: str, values: Mapping[str, float | None]) -> Metric:
    """A gauge with a value for each of a label's, or with one value if it has no label; what is not known is left out."""
    found = GaugeMetricFamily(f"slipway_{name}", help, labels=["bundle", *([label] if label else [])])
    for each, value in values.items():
        if value is not None:
            found.add_metric([of.bundle[:SHORT], *([each] if label else [])], value)
    return found


def _by_field(effects: Mapping[str, float]) -> dict[str, float | None]:
    """By the field's name; the answers have names in brackets, as a field may be called score, too."""
    others = {f"({key.rpartition('/')[2]})": effect for key, effect in effects.items() if not key.startswith(FIELD)}
    return {**others, **{key.removeprefix(FIELD): effect for key, effect in effects.items() if key.startswith(FIELD)}}
