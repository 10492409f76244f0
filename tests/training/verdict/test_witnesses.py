"""A challenger that is better as a whole, and worse somewhere: on a level, on the anchor set, on production's newest rows."""

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
from tables import charges, grades, problem


def table(rows: int, seed: int = 0, first: int = 0) -> pd.DataFrame:
    frame = charges(rows, seed, noise=500)
    return frame.assign(row=[f"r{number}" for number in range(first, first + rows)])


def spoiled(frame: pd.DataFrame) -> pd.DataFrame:
    """The same where a model learns too high charges for the east: in the rows that are not held out."""
    wrong = (frame["region"] == "east") & ~held_out(frame, Split(0.2, "trial", ("row",)))
    return frame.assign(charges=frame["charges"].astype(float) + np.where(wrong, 3_500, 0))


class Meeting:
    """A champion that does not know the age, and a challenger that does but is worse in the east."""

    def __init__(self, folder: Path, rows: int, **settings) -> None:
        self.folder, self.settings = folder, {"id": "row", "candidates": ["linear"]} | settings
        self.store, self.frame = LocalStore(folder / "artifacts"), table(rows)
        self.train(self.frame, drop=["age"])

    def train(self, frame: pd.DataFrame, cohort: list[pyarrow.Table] | None = None, **settings):
        return train(problem(self.folder, frame, "charges", **self.settings, **settings), self.store, jobs=1, cohort=cohort)

    def verdict(self, **more) -> Verdict:
        return self.train(spoiled(self.frame), **more).verdict


def day(frame: pd.DataFrame) -> pyarrow.Table:
    """Rows as the log has them: numbers as doubles, what is absent null."""
    there = [name for name in ("age", "bmi", "charges") if name in frame]
    numbers = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in there}
    return pyarrow.Table.from_pandas(frame.assign(**numbers), preserve_index=False)


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
    east(60).drop(columns="bmi").to_csv(tmp_path / "anchor.csv", index=False)
    verdict = meeting.train(meeting.frame, drop=["bmi"], **{"gate.anchor": "anchor.csv"}).verdict
    assert (
        "the anchor set could not be compared: the champion needs the column bmi, which is no longer there" in verdict.reasons
    )


def test_the_newest_rows_of_production_refuse(tmp_path):
    """Two days of 600 rows, of which the split holds out a fifth: the third day is not needed."""
    days = [day(east(600, seed)) for seed in (1, 2, 3)]
    verdict = Meeting(tmp_path, 900).verdict(cohort=days)
    assert verdict.outcome == "kept"
    (harm,) = verdict.meeting.harms
    unseen = sum(held_out(each.to_pandas(), Split(0.2, "trial", ("row",))).sum() for each in days[:2])
    assert (harm.name, harm.rows, harm.refused) == ("the newest rows of production", unseen, True) and unseen >= 200


def test_production_without_harm_is_no_obstacle(tmp_path):
    meeting = Meeting(tmp_path, 900)
    verdict = meeting.train(meeting.frame, cohort=[day(east(1_200))]).verdict
    assert verdict.promoted and verdict.meeting.harms[0].name == "the newest rows of production"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame[:40], "labelled rows that neither model learned from are too few (at least 30)"),
        (lambda frame: frame.drop(columns="row"), "there is no column row, by which the champion divided its rows"),
        (lambda frame: frame.drop(columns="bmi"), "column 'bmi' is not in the table"),
        (lambda frame: frame.assign(charges=np.nan), "0 labelled rows that neither model learned from are too few"),
    ],
)
def test_production_that_cannot_judge_says_why(tmp_path, change, says):
    """Few labels, an id that callers do not send, a column that the log leaves out, labels that are no numbers."""
    verdict = Meeting(tmp_path, 900).verdict(cohort=[day(change(east(1_200).assign(charges=1.0)))])
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
    cohort = [pyarrow.Table.from_pandas(asked, preserve_index=False)]
    met = train(problem(tmp_path, keyed, "grade", **given), store, jobs=1, cohort=cohort).verdict.meeting
    assert (met.loss, [harm.rows for harm in met.harms]) == ("log_loss", [unseen])
