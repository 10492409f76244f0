"""What docs/which-road.md says was played has a test, and every letter of it a line."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs/which-road.md").read_text(encoding="utf-8").partition("## What was played")[2].partition("\n## ")[0]
LEGEND = dict(re.findall(r"^\| ([a-z]) \| .* \| (`tests/.+) \|$", TEXT, re.M))


def test_each_letter_has_tests_that_are_there():
    cells = re.findall(r"(?:played|document) \(([^)]*)\)", TEXT)
    told = {letter for cell in cells for letter in re.findall(r"\b[a-z]\b", cell)}
    assert told == set(LEGEND)
    files = [name for cell in LEGEND.values() for name in re.findall("`([^`]+)`", cell)]
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_no_cell_says_played_without_a_letter():
    assert not re.search(r"\| played (?!\()", TEXT)
