"""Figures of now beside the accepted ones, and what differs."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TOLERANCE = 0.05
MODULES = "start: modules"
RESIDENT = "start: resident at most, MB"
TOLERANCES = {MODULES: 0.01, RESIDENT: 0.1}  # of the last the machine has a part
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
Figures = dict[str, float]


@dataclass(frozen=True)
class Line:
    """One measure: the accepted figure and the one of now, None where there is none."""

    name: str
    accepted: float | None
    now: float | None

    @property
    def change(self) -> float | None:
        """As a share of the accepted figure; infinite if that was 0."""
        if self.accepted is None or self.now is None:
            return None
        if not self.accepted:
            return math.inf if self.now else 0.0
        return self.now / self.accepted - 1

    @property
    def is_worse(self) -> bool:
        return self.now is None or self.accepted is not None and self.now > self.accepted * (1 + self._tolerance)

    @property
    def verdict(self) -> str:
        if self.now is None:
            return "not measured any more"
        if self.accepted is None:
            return "new"
        if self.is_worse:
            return f"more than {self._tolerance:.0%} above the accepted result"
        return "better" if self.now < self.accepted * (1 - self._tolerance) else "as accepted"

    @property
    def _tolerance(self) -> float:
        return TOLERANCES.get(self.name, TOLERANCE)


def compared(accepted: Mapping[str, float], now: Mapping[str, float]) -> list[Line]:
    """A line for each measure of either side."""
    return [Line(name, accepted.get(name), now.get(name)) for name in {**now, **accepted}]


def table(lines: list[Line]) -> str:
    """The lines in Markdown."""
    return "\n".join(["| measure | accepted | now | change | |", "|---|---:|---:|---:|---|", *map(_row, lines)])


def _row(line: Line) -> str:
    change = "" if line.change is None else f"{line.change:+.1%}"
    verdict = f"**{line.verdict}**" if line.is_worse else line.verdict
    return f"| {line.name} | {_number(line.accepted)} | {_number(line.now)} | {change} | {verdict} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def accepted(path: Path) -> Figures:
    """The accepted figures; none if nothing was ever accepted.

    Raises
    ------
    SystemExit
        When they are of another version of Python.
    """
    if not path.exists():
        return {}
    kept = json.loads(path.read_text())
    if kept["python"] != PYTHON:
        cure = f"Use Python {kept['python']}, or delete the file and accept anew"
        sys.exit(f"guard: {path} has the counts of Python {kept['python']}, and this is {PYTHON}. {cure}")
    return dict(kept["figures"])


def accept(path: Path, figures: Figures) -> None:
    """Let these be what later ones are compared with."""
    path.write_text(json.dumps({"python": PYTHON, "figures": figures}, indent=2) + "\n")
