"""What a look at production leaves in the folder of the log."""

import json
from pathlib import Path

PAGE = "<!doctype html><title>production</title>"
FOUND = {
    "at": "2026-11-22T06:00:00",
    "bundle": "8821177e2697" + "0" * 52,
    "outcome": "worse",
    "reasons": ["The loss is above its limit."],
    "train": True,
    "effects": {"field/age": 0.31, "field/score": 0.02, "answer/score": 0.25},
    "flagged": ["field/age"],
    "loss": {"name": "absolute_error", "rows": 900, "mean": 420.5, "low": 400.25, "usual": 350.0, "allowed": 380.0},
    "expected": {"absolute_error": {"value": 360.0, "margin": 12.0}},
    "labelled": 900,
    "coverage": 0.75,
    "delay_seconds": {"median": 3600.0, "ninety": 86400.0},
}


def leave(folder: Path, content: str = PAGE, **changed) -> None:
    """Write page and figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "live.html").write_text(content)
    (folder / "live.json").write_text(json.dumps(FOUND | changed))
