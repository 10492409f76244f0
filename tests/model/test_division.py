import numpy as np
import pandas as pd
import pytest

from slipway.model.contents import Split
from slipway.model.division import held_out
from tables import charges

SPLIT = Split(0.2, "salt", ("age", "bmi", "region", "smoker"))


def test_the_share_is_held_out():
    assert held_out(charges(4_000), SPLIT).mean() == pytest.approx(0.2, abs=0.02)


def test_rows_stay_where_they_are_when_the_table_grows_or_is_sorted():
    small, large = charges(200), pd.concat([charges(300, seed=1), charges(200)], ignore_index=True)
    assert (held_out(large, SPLIT)[300:] == held_out(small, SPLIT)).all()
    order = np.random.default_rng(0).permutation(200)
    assert (held_out(small.iloc[order], SPLIT) == held_out(small, SPLIT)[order]).all()


def test_the_target_and_the_order_of_columns_do_not_matter():
    frame = charges(200)
    other = frame.assign(charges="0")[["smoker", "charges", "region", "bmi", "age"]]
    assert (held_out(other, SPLIT) == held_out(frame, SPLIT)).all()


def test_it_does_not_matter_where_the_table_was_read_from(tmp_path):
    text = charges(300)
    typed = text.assign(age=text["age"].astype(float), bmi=pd.to_numeric(text["bmi"], errors="coerce"))
    typed["smoker"] = typed["smoker"].astype("category")
    typed.to_parquet(tmp_path / "t.parquet")
    assert (held_out(pd.read_parquet(tmp_path / "t.parquet"), SPLIT) == held_out(text, SPLIT)).all()


def test_the_salt_redraws():
    frame = charges(300)
    assert (held_out(frame, SPLIT) != held_out(frame, Split(0.2, "other", SPLIT.columns))).any()


def test_a_smaller_share_is_a_subset():
    frame = charges(500)
    small, large = held_out(frame, SPLIT), held_out(frame, Split(0.4, "salt", SPLIT.columns))
    assert small.sum() < large.sum() and not (small & ~large).any()


def test_rows_that_are_alike_stay_together():
    frame = charges(100)
    twice = pd.concat([frame, frame])
    assert (held_out(twice, SPLIT)[:100] == held_out(twice, SPLIT)[100:]).all()


def test_known_rows_are_held_out_for_ever():
    """A pinned draw: a change of the hash or of the canonical text would redraw every user's hold-out."""
    frame = pd.DataFrame({"id": [str(number) for number in range(40)]})
    drawn = np.nonzero(held_out(frame, Split(0.2, "insurance", ("id",))))[0].tolist()
    assert drawn == [0, 2, 4, 13, 17, 26, 28, 33, 37]
