import numpy as np
import pandas as pd
import pytest

from slipway.store.local import LocalStore
from slipway.training.data.dataset import read, remarks
from slipway.training.data.kin import joined
from slipway.training.train import train
from slipway.training.verdict.doubts import doubts
from tables import charges, grades, problem


def numbered(frame):
    return frame.assign(row=[f"r{number}" for number in range(len(frame))])


def coarse_grades(rows=1_200, columns="abcd"):
    """A label that depends by chance on a few columns of a few levels each, so that many rows are equal."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({name: random.choice(["low", "mid", "top"], rows) for name in columns})
    return frame.assign(grade=np.where(random.random(rows) < 0.3 + 0.4 * (frame["a"] == "top"), "yes", "no"))


def test_rows_are_joined_by_way_of_others():
    assert joined(np.array([0, 0, 1, 2]), np.array([5, 3, 3, 4])).tolist() == [0, 0, 0, 2]


def test_copies_under_new_ids_are_counted_and_no_model_is_promoted_by_them(tmp_path):
    frame = numbered(pd.concat([grades(300)] * 4, ignore_index=True))
    made = problem(tmp_path, frame, "grade", id="row", candidates=["linear"])
    table = read(made)
    learned = set(map(tuple, frame[table.used][["x", "y", "z"]].to_numpy()))
    number = sum(tuple(row) in learned for row in frame[table.held][["x", "y", "z"]].to_numpy())
    [says] = doubts(table)
    assert (
        says.startswith(f"{number} of {table.held.sum()} held-out rows equal a training row in all features") and number > 200
    )
    assert says in remarks(table) and "remove id, or name in group" in says
    outcome = train(made, LocalStore(tmp_path / "artifacts"), jobs=1)
    assert outcome.verdict.outcome == "kept" and says in outcome.verdict.reasons[0]
    assert f"slipway promote {outcome.bundle.digest[:12]}" in outcome.verdict.reasons[0]


@pytest.mark.parametrize(("copied", "doubted"), [(5, False), (120, True)])
def test_a_few_copies_are_told_only(tmp_path, copied, doubted):
    frame = charges(600)
    table = read(problem(tmp_path, numbered(pd.concat([frame, frame[:copied]], ignore_index=True)), "charges", id="row"))
    assert bool(doubts(table)) == doubted
    assert any("equal a training row" in each for each in remarks(table))


def test_without_the_id_copies_are_on_one_side(tmp_path):
    table = read(problem(tmp_path, pd.concat([grades(300)] * 4, ignore_index=True), "grade"))
    assert doubts(table) == [] and not any("equal" in each for each in remarks(table))


def test_rows_that_are_equal_by_chance_are_no_copies(tmp_path):
    table = read(problem(tmp_path, numbered(coarse_grades()), "grade", id="row"))
    assert doubts(table) == []
    [says] = [each for each in remarks(table) if "equal a training row" in each]
    assert says.endswith("as is common where features have few values")
    assert len(np.unique(table.rows.kin)) == 1_200, "folds divide them like the split does"


def test_copies_of_rows_of_few_levels_are_found_by_their_targets(tmp_path):
    frame = numbered(pd.concat([coarse_grades(60, "abcdef")] * 6, ignore_index=True))
    assert doubts(read(problem(tmp_path, frame, "grade", id="row")))


def test_few_different_rows_make_the_split_coarse_and_it_is_said(tmp_path):
    table = read(problem(tmp_path, coarse_grades(columns="abc"), "grade"))
    [says] = [each for each in remarks(table) if "coarse" in each]
    share = f"{table.held.mean():.0%} of the rows instead of 20%"
    assert "only 27 different rows" in says and share in says and "name an id column" in says


def test_few_groups_are_said(tmp_path):
    frame = charges(400).assign(clinic=[f"c{number % 12}" for number in range(400)])
    [says] = [each for each in remarks(read(problem(tmp_path, frame, "charges", group="clinic"))) if "coarse" in each]
    assert "only 12 different groups" in says


def test_an_ordinary_table_has_no_such_remark(tmp_path):
    assert remarks(read(problem(tmp_path, charges(600), "charges"))) == []
    assert remarks(read(problem(tmp_path, numbered(charges(600)), "charges", id="row"))) == []
