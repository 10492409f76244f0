"""What a line of the journal on a look says in a pull request."""

from datetime import UTC, datetime

import pytest

from slipway.monitoring.reasons import last_look, told, why_now

DIGEST = "a" * 64
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
LOSS = {"name": "absolute_error", "rows": 4_000, "mean": 512.5, "low": 490.0, "usual": 400.0, "allowed": 450.0}
SURE = {"interval": [498.0, 527.0], "holdout": {"rows": 1_200, "interval": [380.5, 419.5]}}


def look(at: str = "2026-11-22T04:00:00+00:00", **figures) -> dict:
    found = {"rows": 12_500, "days": 25, "loss": None, "coverage": None, "sentences": []} | figures
    reasons = ["The loss is above its limit."]
    line = {"event": "watch", "at": at, "digest": DIGEST, "outcome": "worse", "reasons": reasons, "train": True}
    return line | {"figures": found}


def test_the_last_look_at_the_champion_counts_while_it_is_fresh():
    other, later = look() | {"digest": "b" * 64}, look("2026-11-22T05:00:00+00:00")
    verdict = look() | {"event": "verdict"}
    assert last_look([look(), later, other, verdict], DIGEST, NOW) is later
    assert last_look([look("2026-11-19T04:00:00+00:00")], DIGEST, NOW) is None
    assert last_look([], DIGEST, NOW) is None


@pytest.mark.parametrize(
    "found, given, says",
    [
        (None, "It was started by hand.", ["It was started by hand."]),
        (look(), "", ["The loss is above its limit."]),
        (look() | {"train": False}, "", []),
        (None, "", []),
        (None, "Columns moved: a_b.", ["Columns moved: a\\_b."]),
        (None, "@octocat: https://a.b", ["@\u200doctocat: https:\u200d//a.b"]),
    ],
)
def test_why_now_is_what_started_the_training(found, given, says):
    assert why_now(found, given) == says


def test_the_loss_is_told_beside_the_hold_out_with_intervals():
    lines = told(look(loss=LOSS | SURE, coverage=0.95))
    assert lines[0] == (
        "Of the champion before, on 2026-11-22: the model has become worse; it answered 12,500 rows on 25 of the last 28 days."
    )
    assert lines[2] == (
        "The mean absolute error of 4,000 labelled rows was 512.5 (498.0 to 527.0), on the 1,200 rows of the hold-out "
        "400.0 (380.5 to 419.5), with 90 % intervals; up to 450.0 is allowed. 95.0\u00a0% of the answers of these days have a "
        "label."
    )


def test_a_line_of_an_earlier_version_has_no_intervals():
    assert "of 4,000 labelled rows was 512.5, on the hold-out 400.0." in told(look(loss=LOSS))[2]


def test_without_labels_nobody_knows():
    assert told(look())[2].endswith("no label has come.")
    assert told(look(labelled=800))[2].endswith("nobody knows: 800 labels came, too few or too early.")


@pytest.mark.parametrize(
    "outcome, suspected, says",
    [
        ("quiet", [], "nothing moved beyond chance"),
        ("quiet", ["field/age"], "columns are suspected to have moved"),
        ("drift", ["field/age"], "columns moved"),
    ],
)
def test_a_quiet_look_may_suspect_columns(outcome, suspected, says):
    assert f": {says}; it answered" in told(look(suspected=suspected) | {"outcome": outcome})[0]


def test_what_moved_is_listed_and_a_name_stays_a_name():
    lines = told(look(sentences=["`b_mi`: 31 % above 34.7; the <b>answers</b> moved, too."]))
    assert lines[-1] == "- b\\_mi: 31 % above 34.7; the \\<b\\>answers\\</b\\> moved, too."
