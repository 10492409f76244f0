"""docs/other-clouds.md: every letter of what was played has tests, every folder of deploy/ a row and a page."""

import re
from pathlib import Path

import pytest

from slipway.project.roads import FOLDERS, page_of

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs/other-clouds.md").read_text(encoding="utf-8")
PLAYED = TEXT.partition("## What was played")[2]
ROWS = [line.split(" | ") for line in PLAYED.splitlines() if line.count(" | ") == 4 and not line.startswith("| system")]
LEGEND = dict(re.findall(r"^\| ([a-z]) \| .* \| (`tests/.+) \|$", PLAYED, re.M))
OTHERS = [name for name in FOLDERS if name not in ("fargate", "kubernetes")]  # docs/which-road.md has these two


def test_each_letter_has_tests_that_are_there():
    told = {letter for row in ROWS for cell in row[2:4] for letter in re.findall(r"\(([a-z])\)", cell)}
    assert told == set(LEGEND)
    files = [name for cell in LEGEND.values() for name in re.findall("`([^`]+)`", cell)]
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_no_cell_says_played_without_a_letter():
    assert [row[0] for row in ROWS if row[3] != "–" and not re.search(r"\([a-z]\)", row[3])] == []


@pytest.mark.parametrize("name", OTHERS)
def test_each_folder_has_a_row_and_its_page_a_link(name):
    assert [row for row in ROWS if row[1] == f"`{name}`"], "a row says what is not shown"
    assert f"({page_of(name).removeprefix('docs/')})" in TEXT


@pytest.mark.parametrize("name", FOLDERS)
def test_each_folder_is_named_where_people_learn_to_copy_it(name):
    assert f"`{name}`" in (ROOT / "docs/new.md").read_text(encoding="utf-8")
