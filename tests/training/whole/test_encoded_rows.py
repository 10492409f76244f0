"""What a worker makes of its rows, without a cluster: the same as training makes of the sample."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow
import pytest

from slipway.model.division import held_out
from slipway.training.data.dataset import read
from slipway.training.data.split import checks_of
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import encoded
from slipway.training.fitting.xgboost_trees import USUAL, aim_of
from slipway.training.whole.encoded_rows import Part, RowEncoder, matrix_of
from tables import charges, grades, problem

TRIAL = Trial("xgboost", USUAL)


def encoder_of(asked, part, log_target=False):
    table = read(asked)
    encoding, _, y = encoded(replace(TRIAL, log_target=log_target), table.learned)
    aim = aim_of(len(table.rows.classes), y)
    away = table.anchor.named if table.anchor else None
    made = RowEncoder(asked, table.target, encoding, aim, part(table), log_target, away)
    return made, table


def matrix(encoder, frame, size=100):
    batches = pyarrow.Table.from_pandas(frame, preserve_index=False).to_batches(max_chunksize=size)
    return matrix_of(encoder.batches(batches), len(encoder.encoding.outputs))


def in_order(lines):
    return lines[np.lexsort(lines.T)]


def learns(table):
    return Part(table.split, checks_of(table.split, None))


@pytest.mark.parametrize("log_target", [False, True])
def test_rows_are_divided_and_encoded_as_training_does(tmp_path, log_target):
    frame = charges(400)
    encoder, table = encoder_of(problem(tmp_path, frame, "charges"), learns, log_target)
    x, y, checks = matrix(encoder, frame)
    rows = table.learned
    expected = encoder.encoding.encode(rows.columns).astype(np.float32)
    targets = np.log1p(rows.y) if log_target else rows.y
    own = np.column_stack([x, y * encoder.aim.scale + encoder.aim.begin])
    np.testing.assert_allclose(in_order(own), in_order(np.column_stack([expected, targets])), rtol=1e-6)
    assert 40 < checks.sum() < 100
    np.testing.assert_array_equal(checks, held_out(frame, checks_of(table.split, None))[~held_out(frame, table.split)])


def test_a_refit_learns_from_the_rows_held_out_too(tmp_path):
    frame = charges(400)
    encoder, table = encoder_of(problem(tmp_path, frame, "charges"), lambda table: Part(None))
    x, _, checks = matrix(encoder, frame)
    assert len(x) == 400 and not checks.any()


def test_what_the_sample_never_saw(tmp_path):
    """A level counts as an unseen one; a row of another class, or of none, is not learned from."""
    frame = grades(300, classes=3).assign(kind=["a", "b", "c"] * 100)
    encoder, table = encoder_of(problem(tmp_path, frame, "grade"), lambda table: Part(None))
    odd = pd.concat([frame.iloc[:3]] * 2, ignore_index=True).assign(
        grade=["odd", None, "high", "low", "top", "high"], kind=["a", "a", "new", "a", "a", "a"]
    )
    x, y, _ = matrix(encoder, odd)
    assert y.tolist() == [table.rows.classes.index(label) for label in ("high", "low", "top", "high")]
    kinds = [place for place, output in enumerate(encoder.encoding.outputs) if output.field == "kind"]
    assert kinds and not x[0, kinds].any() and x[1, kinds].any()


def test_a_row_that_cannot_be_read_is_left_out(tmp_path):
    """One far from what the sample had is not."""
    frame = charges(400)
    encoder, _ = encoder_of(problem(tmp_path, frame, "charges"), lambda table: Part(None))
    odd = frame.head(4).assign(age=["old", "30", "900", "31"])
    x, _, _ = matrix(encoder, odd)
    assert len(x) == 3 and 900 in x


@pytest.mark.parametrize("log_target", [False, True])
def test_numbers_beyond_float32_are_at_its_ends_and_targets_beyond_it_are_not_learned(tmp_path, log_target):
    """XGBoost refuses what is infinite, of features and of targets."""
    frame = charges(400)
    encoder, _ = encoder_of(problem(tmp_path, frame, "charges"), lambda table: Part(None), log_target)
    odd = frame.head(5).assign(bmi=["1.797e308", "-1.797e308", "30", "30", "30"])
    odd["charges"] = ["1000", "1000", "-1" if log_target else "1.797e308", "-2" if log_target else "-1.797e308", "1000"]
    x, y, _ = matrix(encoder, odd)
    assert len(x) == 3 and np.isfinite(y).all() and not np.isinf(x).any()
    ends = np.finfo(np.float32)
    assert ends.max in x[0] and ends.min in x[1]


@pytest.mark.parametrize("settings", [{"id": "row"}, {"group": "patient"}, {"time": "age"}])
def test_rows_of_the_anchor_set_are_not_learned_from(tmp_path, settings):
    """Its rows are in the table, but not in the sample, by which alone they could be refused."""
    frame = charges(440).assign(row=range(440), patient=[number // 2 for number in range(440)])
    frame.iloc[400:].to_csv(tmp_path / "anchor.csv", index=False)
    made = problem(tmp_path, frame.head(400), "charges", **settings, **{"gate.anchor": "anchor.csv"})
    encoder, _ = encoder_of(made, lambda table: Part(None))
    x, _, _ = matrix(encoder, frame)
    assert len(x) == 400


def test_the_place_of_a_row_does_not_depend_on_its_neighbours(tmp_path):
    frame = charges(400)
    encoder, _ = encoder_of(problem(tmp_path, frame, "charges"), learns)
    places = []
    for rows in (frame, frame.iloc[::-1]):
        batch = pyarrow.RecordBatch.from_pandas(rows, preserve_index=False)
        (made,) = encoder.batches([batch])
        places.append(dict(zip(made.column("place").to_pylist(), made.column("x").to_pylist())))
    assert repr(places[0]) != repr(places[1])
    assert {place: repr(line) for place, line in places[0].items()} == {place: repr(line) for place, line in places[1].items()}
