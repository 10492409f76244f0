"""What was measured: a line of JSON for each turn, model, service and load, and the medians of them."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from environments import ROOT

START = "start"  # the load of the lines that tell how long a start took


@dataclass(frozen=True)
class Spread:
    """The median of the turns, the least and the most."""

    median: float
    low: float
    high: float
    turns: int


class Results:
    """The lines of one file; each is written as soon as it is known."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lines: list[dict] = []
        if path.exists():
            whole, _, torn = path.read_text().rpartition("\n")  # a run that was killed may leave half a line
            self._lines = [json.loads(line) for line in whole.splitlines()]
            if torn:
                path.write_text(whole + "\n")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._lines = []

    def add(self, turn: int, model: str, service: str, load: str, figures: dict) -> None:
        line = {"turn": turn, "model": model, "service": service, "load": load} | figures
        self._lines.append(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def has(self, turn: int, model: str, service: str, load: str) -> bool:
        """Whether it was measured; what failed is tried again."""
        return any(line["turn"] == turn and "error" not in line for line in self._of(model, service, load))

    def _of(self, model: str, service: str, load: str) -> Iterator[dict]:
        return (line for line in self._lines if (line["model"], line["service"], line["load"]) == (model, service, load))

    def failure(self, model: str, service: str, load: str) -> str | None:
        """Why there is nothing to show, of the last turn."""
        lines = list(self._of(model, service, load))
        return lines[-1].get("error") if lines else None

    def spread(self, model: str, service: str, load: str, figure: str) -> Spread | None:
        """Of one figure over the turns; None where it was not measured."""
        found = [line[figure] for line in self._of(model, service, load) if line.get(figure) is not None]
        return _spread(found)

    def ratio(self, model: str, load: str, figure: str, above: str, below: str) -> Spread | None:
        """How many times the figure of one service is that of another, of the turns in which both were measured."""
        ours, theirs = (
            {line["turn"]: line[figure] for line in self._of(model, service, load) if line.get(figure)}
            for service in (above, below)
        )
        found = [ours[turn] / theirs[turn] for turn in ours if turn in theirs]
        return _spread(found)

    def peak(self, model: str, service: str) -> float:
        """Requests per second with 16 keep-alive clients; 0 where they were not measured."""
        found = self.spread(model, service, "keep-alive", "rate")
        return found.median if found else 0.0

    def summary(self) -> dict:
        """All that is needed to read the figures elsewhere: where they are from, medians, and each turn."""
        keys = sorted({(line["model"], line["load"], line["service"]) for line in self._lines})
        medians = []
        for model, load, service in keys:
            lines = list(self._of(model, service, load))
            figures = sorted({name for line in lines for name, value in line.items() if isinstance(value, float)})
            spreads = {name: self.spread(model, service, load, name) for name in figures}
            told = {name: {"median": one.median, "min": one.low, "max": one.high} for name, one in spreads.items() if one}
            medians.append({"model": model, "load": load, "service": service, "turns": len(lines), **told})
        return {"machine": _machine(), "medians": medians, "turns": self._lines}


def _spread(found: list[float]) -> Spread | None:
    return Spread(statistics.median(found), min(found), max(found), len(found)) if found else None


def _machine() -> dict:
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {
        "cores": os.cpu_count(),
        "processor": model[0] if model else platform.machine(),
        "python": platform.python_version(),
        "commit": commit,
    }
