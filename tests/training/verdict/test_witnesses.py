"""A challenger that is better as a whole, and worse somewhere: on a level, on the anchor set, on production's newest rows."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest

from slipway.model.contents import Split
from slipway.model.division import held_out
from slipway.store.local import LocalStore
from slipway.training.train import train
from slipway.training.verdict.gate import Verdict
from slipway.training.verdict.witnesses import period
from tables import charges, grades, problem


def table(rows: int, seed: int = 0, first: int = 0) -> pd.DataFrame:
    frame = charges(rows, seed, noise=500)
    return frame.assign(row=[f"r{number}" for number in range(first, first + rows)])


def spoiled(frame: pd.DataFrame, name: str = "trial") -> pd.DataFrame:
    """The same where a model learns too high charges for the east: in the rows that are not held out."""
    wrong = (frame["region"] == "east") & ~held_out(frame, Split(0.2, name, ("row",)))
    return frame.assign(charges=frame["charges"].astype(float) + np.where(wrong, 3_500, 0))


class Meeting:
    """A champion that does not know the age, and a challenger that does but is worse in the east."""

    def __init__(self, folder: Path, rows: int, **settings) -> None:
        self.folder, self.settings = folder, {"id": "row", "candidates": ["linear"]} | settings
        self.store, self.frame = LocalStore(folder / "artifacts"), table(rows)
        self.train(self.frame, drop=["age"])

    def train(self, frame: pd.DataFrame, cohort: dict[date, pyarrow.Table] | None = None, **settings):
        settings = self.settings | settings
        return train(problem(self.folder, frame, "charges", **settings), self.store, jobs=1, cohort=cohort)

    def verdict(self, **more) -> Verdict:
        return self.train(spoiled(self.frame), **more).verdict


def day(frame: pd.DataFrame) -> pyarrow.Table:
    """Rows as the log has them: numbers as doubles, what is absent null."""
    there = [name for name in ("age", "bmi", "charges") if name in frame]
    numbers = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in there}
    return pyarrow.Table.from_pandas(frame.assign(**numbers), preserve_index=False)


def dated(*days: pyarrow.Table) -> dict[date, pyarrow.Table]:
    """The first is of yesterday, each other of the day before."""
    today = datetime.now(UTC).date()
    return {today - timedelta(days=age): day for age, day in enumerate(days, 1)}


def east(rows: int, seed: int = 1) -> pd.DataFrame:
    return table(rows, seed, 100_000 * seed).assign(region="east")


def test_a_level_that_becomes_worse_is_no_price_for_a_better_mean(tmp_path):
    verdict = Meeting(tmp_path, 4_000).verdict()
    met = verdict.meeting
    assert met.gain > 0 and met.chance < met.allowed, "as a whole it is better"
    assert verdict.outcome == "kept" and not verdict.doubted
    worst, *others = met.harms
    assert (worst.name, worst.refused, met.loss) == ("region = east", True, "absolute_error")
    assert worst.rows >= 200 and worst.challenger > 1.2 * worst.champion
    assert {each.name for each in others} == {"region = north", "region = south", "smoker = yes", "smoker = no"}
    assert met.parts == 5 and not any(each.refused for each in others)
    assert sum(reason.startswith("harm on region = east: absolute error ") for reason in verdict.reasons) == 1
    assert verdict.reasons[-1].startswith("to serve it anyway: slipway promote ")
    assert verdict.to_json()["figures"]["harms"][0]["refused"]


def test_a_challenger_that_is_better_everywhere_is_promoted_and_no_proof_claimed(tmp_path):
    meeting = Meeting(tmp_path, 4_000)
    verdict = meeting.train(meeting.frame).verdict
    assert verdict.promoted and "no harm was shown on 5 parts" in verdict.reasons[-1]


def test_small_levels_are_not_tested(tmp_path):
    verdict = Meeting(tmp_path, 900).verdict()
    assert verdict.promoted and verdict.meeting.harms == ()


def test_the_anchor_set_refuses(tmp_path):
    east(60).to_csv(tmp_path / "anchor.csv", index=False)
    meeting = Meeting(tmp_path, 900, **{"gate.anchor": "anchor.csv"})
    assert meeting.store.verdict(meeting.store.pointer())["figures"]["harms"] == [], "the first model meets no champion"
    verdict = meeting.verdict()
    assert verdict.outcome == "kept" and verdict.meeting.chance < verdict.meeting.allowed
    assert [(each.name, each.rows, each.refused) for each in verdict.meeting.harms] == [("the anchor set", 60, True)]
    assert any(reason.startswith("harm on the anchor set: absolute error ") for reason in verdict.reasons)


def test_an_anchor_set_that_the_champion_cannot_read_says_so(tmp_path):
    meeting = Meeting(tmp_path, 900)
    east(300).drop(columns="bmi").to_csv(tmp_path / "anchor.csv", index=False)
    verdict = meeting.train(meeting.frame, drop=["bmi"], **{"gate.anchor": "anchor.csv"}).verdict
    assert (
        "the anchor set could not be compared: the champion needs the column bmi, which is no longer there" in verdict.reasons
    )


def test_rows_that_the_champion_may_have_learned_do_not_speak_for_it(tmp_path):
    """Reviewed, and moved out of the source as the message says; the champion remembers them until it is another one."""
    old, new = table(1_200), table(4_000, 1, 10_000)
    meeting = Meeting.__new__(Meeting)
    meeting.folder, meeting.settings, meeting.store = tmp_path, {"id": "row", "candidates": ["boosting"]}, LocalStore(tmp_path)
    assert meeting.train(old).verdict.promoted
    learned = ~held_out(old, Split(0.2, "trial", ("row",)))
    old[learned][:300].to_csv(tmp_path / "anchor.csv", index=False)
    anchored = {"gate.anchor": "anchor.csv"}
    frame = pd.concat([old.drop(old[learned].index[:300]), new], ignore_index=True)
    verdict = meeting.train(frame, **anchored).verdict
    assert verdict.promoted and "the anchor set" not in {harm.name for harm in verdict.meeting.harms}
    says = "may have learned from 300 of its rows; from the next promotion on they count"
    assert any(says in reason for reason in verdict.reasons)
    met = meeting.train(frame, drop=["bmi"], **anchored).verdict.meeting
    assert [harm.rows for harm in met.harms if harm.name == "the anchor set"] == [300]


def test_of_another_anchor_set_the_rows_count_that_the_champion_held_out(tmp_path):
    east(300).to_csv(tmp_path / "anchor.csv", index=False)
    meeting = Meeting(tmp_path, 900)
    verdict = meeting.verdict(**{"gate.anchor": "anchor.csv"})
    unseen = held_out(east(300), Split(0.2, "trial", ("row",))).sum()
    (harm,) = verdict.meeting.harms
    assert (harm.name, harm.rows, harm.refused) == ("the anchor set", unseen, True)
    assert any(f"may have learned from {300 - unseen} of its rows: they count" in reason for reason in verdict.reasons)


def test_the_newest_rows_of_production_refuse(tmp_path):
    """Two days of 600 rows, of which the split holds out a fifth: the third day is not needed."""
    days = [day(east(600, seed)) for seed in (1, 2, 3)]
    verdict = Meeting(tmp_path, 900).verdict(cohort=dated(*days))
    assert verdict.outcome == "kept"
    (harm,) = verdict.meeting.harms
    unseen = sum(held_out(each.to_pandas(), Split(0.2, "trial", ("row",))).sum() for each in days[:2])
    assert (harm.rows, harm.refused) == (unseen, True) and unseen >= 200
    newest, second = dated(*days[:2])
    assert harm.name.startswith(f"the newest rows of production ({second.day} ")
    assert harm.name.endswith(f"to {newest.day} {newest:%B %Y})")


def test_production_without_harm_is_no_obstacle(tmp_path):
    meeting = Meeting(tmp_path, 900)
    verdict = meeting.train(meeting.frame, cohort=dated(day(east(1_200)))).verdict
    assert verdict.promoted and verdict.meeting.harms[0].name.startswith("the newest rows of production (")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame[:40], "labelled rows that neither model learned from are too few (at least 30)"),
        (lambda frame: frame.drop(columns="row"), "there is no column row, by which the champion divided its rows"),
        (lambda frame: frame.drop(columns="age"), "column 'age' is not in the table"),
        (lambda frame: frame.assign(row=[None] * 1_100 + [*frame["row"][:100]]), "; 1,100 more have no row, so nobody"),
        (lambda frame: frame.assign(charges=np.nan), "0 labelled rows that neither model learned from are too few"),
    ],
)
def test_production_that_cannot_judge_says_why(tmp_path, change, says):
    """Few labels, an id that callers do not send, a column that the log leaves out, labels that are no numbers."""
    verdict = Meeting(tmp_path, 900).verdict(cohort=dated(day(change(east(1_200).assign(charges=1.0)))))
    assert verdict.promoted and verdict.meeting.harms == ()
    (reason,) = [each for each in verdict.reasons if each.startswith("the newest rows of production could not be compared: ")]
    assert says in reason


def test_labels_of_production_are_read_as_those_of_the_table(tmp_path):
    """Whatever the classes are; a label that the table does not have counts for nothing."""
    keyed = grades(900).assign(row=[f"r{number}" for number in range(900)])
    store, given = LocalStore(tmp_path / "artifacts"), {"id": "row", "candidates": ["linear"]}
    train(problem(tmp_path, keyed, "grade", **given, drop=["y"]), store, jobs=1)
    asked = grades(1_000, seed=1).assign(row=[f"p{number}" for number in range(1_000)])
    asked.loc[:499, "grade"] = "unknown"
    unseen = held_out(asked, Split(0.2, "trial", ("row",)))[500:].sum()
    cohort = dated(pyarrow.Table.from_pandas(asked, preserve_index=False))
    met = train(problem(tmp_path, keyed, "grade", **given), store, jobs=1, cohort=cohort).verdict.meeting
    assert (met.loss, [harm.rows for harm in met.harms]) == ("log_loss", [unseen])


@pytest.mark.parametrize("name", ["trial", "loan"])
def test_rows_without_an_id_count_for_neither_side_of_the_split(tmp_path, name):
    """By the salt of loan the key of nothing is held out: then all of them were one unit, and nothing was tested."""
    assert held_out(pd.DataFrame({"row": [None]}), Split(0.2, name, ("row",)))[0] == (name == "loan")
    asked = east(2_400)
    asked.loc[::2, "row"] = None
    named = asked["row"].notna() & held_out(asked, Split(0.2, name, ("row",)))
    meeting = Meeting(tmp_path, 900, name=name)
    verdict = meeting.train(spoiled(meeting.frame, name), cohort=dated(day(asked))).verdict
    assert verdict.outcome == "kept"
    assert [(harm.rows, harm.refused) for harm in verdict.meeting.harms] == [(named.sum(), True)]


def test_a_field_that_may_be_missing_and_is_never_sent_is_missing(tmp_path):
    meeting = Meeting(tmp_path, 900)
    with_bmi, without = day(east(600)), day(east(600, 2).drop(columns="bmi"))
    (harm,) = meeting.verdict(cohort=dated(without, with_bmi)).meeting.harms
    assert harm.refused and harm.rows >= 200


def test_a_field_that_the_log_omits_is_not_taken_for_missing(tmp_path):
    verdict = Meeting(tmp_path, 900).verdict(cohort=dated(day(east(1_200).drop(columns="bmi"))), **{"log.omit": ["bmi"]})
    assert verdict.promoted and any("column 'bmi' is not in the table" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.drop(columns="row"), "there is no column row, by which the champion divided its rows"),
        (lambda frame: frame.assign(region=frame["region"], age="old"), "column 'age': "),
    ],
)
def test_a_day_that_cannot_be_compared_is_passed_over(tmp_path, change, says):
    odd = pyarrow.Table.from_pandas(change(east(50, 2)), preserve_index=False)
    verdict = Meeting(tmp_path, 900).verdict(cohort=dated(odd, odd, day(east(1_200))))
    (harm,) = verdict.meeting.harms
    assert harm.refused and not harm.name.count(" to ")
    assert any(f"production 2 days could not be compared ({says}" in reason for reason in verdict.reasons)


def test_where_rows_are_divided_in_time_the_moment_of_the_prediction_will_do(tmp_path):
    """However the table writes its dates."""
    frame = table(900).assign(day=[f"{1 + number % 28:02d}.{1 + number // 75:02d}.2025" for number in range(900)])
    store, given = LocalStore(tmp_path / "artifacts"), {"time": "day", "id": "row", "candidates": ["linear"]}
    given["formats"] = {"day": "31.12.2024"}
    train(problem(tmp_path, frame, "charges", **given, drop=["age"]), store, jobs=1)
    moments = pyarrow.array([datetime(2026, 10, 1, 8, number % 60) for number in range(600)], pyarrow.timestamp("us"))
    cohort = dated(day(east(600)).append_column("day", moments))
    verdict = train(problem(tmp_path, frame, "charges", **given), store, jobs=1, cohort=cohort).verdict
    assert [harm.rows for harm in verdict.meeting.harms if "production" in harm.name] == [600], verdict.reasons


def test_days_that_are_long_past_do_not_speak_for_what_is_asked_now(tmp_path):
    today = datetime.now(UTC).date()
    meeting, asked = Meeting(tmp_path, 900), day(east(1_200))
    verdict = meeting.verdict(cohort={today - timedelta(days=62): asked})
    assert verdict.promoted and verdict.meeting.harms == ()
    assert verdict.reasons[-1].endswith(", more than 60 days ago")


def test_days_of_a_while_ago_do(tmp_path):
    asked = {datetime.now(UTC).date() - timedelta(days=59): day(east(1_200))}
    assert Meeting(tmp_path, 900).verdict(cohort=asked).meeting.harms


@pytest.mark.parametrize(
    ("days", "says"),
    [
        ([date(2026, 11, 9)], "9 November 2026"),
        ([date(2026, 11, 9), date(2026, 11, 4), date(2026, 11, 1)], "1 to 9 November 2026"),
        ([date(2026, 11, 9), date(2026, 10, 28)], "28 October to 9 November 2026"),
        ([date(2027, 1, 3), date(2026, 12, 28)], "28 December 2026 to 3 January 2027"),
        ([date(2027, 1, 3), date(2026, 1, 1)], "1 January 2026 to 3 January 2027"),
    ],
)
def test_a_period_is_told_by_its_ends(days, says):
    assert period(days) == says
