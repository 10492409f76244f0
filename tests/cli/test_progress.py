"""One display of progress, for every command."""

import pytest

from slipway.cli.progress import Progress
from slipway.cli.train import Comparing
from slipway.training.comparison.search import Step
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import Entry


def test_without_a_terminal_each_tenth_part_is_one_line(capsys):
    with Progress() as progress:
        for done in range(1, 101):
            progress.advance("Loading", done, done / 100, f"{done} of 100 rows")
        progress.advance("Comparing", 1, 0.5, "1 of 2 fits")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Loading: 10%, 10 of 100 rows", "Loading: 20%, 20 of 100 rows"]
    assert lines[9:] == ["Loading: 100%, 100 of 100 rows", "Comparing: 50%, 1 of 2 fits"]


def test_without_a_terminal_and_a_total_twice_as_many_rows_are_one_line(capsys):
    with Progress() as progress:
        for done in range(100_000, 1_000_001, 100_000):
            progress.advance("Reading", done, None, f"{done:,} rows")
    assert capsys.readouterr().err.splitlines() == [
        "Reading: 200,000 rows",
        "Reading: 400,000 rows",
        "Reading: 800,000 rows",
    ]


def test_on_a_terminal_a_line_is_redrawn_and_ends_before_the_next_part(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as progress:
        progress.advance("Reading", 5, None, "5 rows")
        progress.advance("Comparing", 1, 0.5, "1 of 2 fits")
        progress.advance("Comparing", 2, 1.0, "2 of 2 fits")
    assert capsys.readouterr().err == (
        "\r\033[KReading 5 rows\n"
        f"\r\033[KComparing {'█' * 15:<30}  50% 1 of 2 fits\r\033[KComparing {'█' * 30} 100% 2 of 2 fits\n"
    )


def test_what_is_said_takes_the_place_of_the_drawn_line(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as progress:
        progress.say("Note: a.")
        progress.advance("Scoring", 1, 0.5, "1 rows")
        progress.say("Note: b.")
    assert capsys.readouterr().err == f"Note: a.\n\r\033[KScoring {'█' * 15:<30}  50% 1 rows\r\033[KNote: b.\n"


def test_an_error_ends_the_drawn_line(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(OSError), Progress() as progress:
        progress.file(1, 2, "model.onnx", 10, "uploading …")
        raise OSError
    assert capsys.readouterr().err == "\r\033[K1/2 model.onnx, 10 bytes: uploading …\n"


def test_a_search_tells_what_is_tried_what_is_ahead_and_the_time_left(capsys):
    clock = iter([10.0, 10.0, 40.0])
    best = Entry(Trial("boosting", {}), 4236.71, 98.2)
    with Progress() as progress:
        comparing = Comparing(progress, lambda: next(clock))
        comparing(Step(1, 3, 30, 2, 1.0, 10.0, None))
        comparing(Step(2, 3, 10, 5, 7.5, 10.0, best))
    assert capsys.readouterr().err.splitlines() == [
        "Comparing: 10%, round 1 of 3: 30 settings on 2 folds",
        "Comparing: 70%, round 2 of 3: 10 settings on 5 folds; ahead after round 1: boosting; about 10 s left",
    ]
