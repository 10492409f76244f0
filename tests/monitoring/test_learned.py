"""What training says of a row of its table, the log says of the same row: whether it was held out, and that it is not new."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from msgspec.structs import replace

from slipway.model.bundle import Bundle
from slipway.model.contents import Model, model_of
from slipway.model.predictor import Predictor
from slipway.monitoring.learned import Learned, learned_of, merged, unlike, untold
from slipway.monitoring.logged_rows import CALLS, LoggedRows
from slipway.problem import load_problem
from slipway.serving.recorder import as_read
from slipway.store.local import LocalStore
from slipway.store.snapshots import KeptData
from slipway.table.cells import read_columns
from slipway.training.data.dataset import read
from tables import charges
from trainings import trained


def written_elsewhere(rows: int, seed: int = 0) -> pd.DataFrame:
    """A table of a Windows program: decimal commas, days first, true and false, an empty cell here and there."""
    frame = charges(rows, seed)
    random = np.random.default_rng(seed)
    days = pd.Timestamp("2020-01-06") + pd.to_timedelta(random.integers(0, 2_000, rows), unit="D")
    frame["joined"] = days.strftime("%d.%m.%Y")
    frame["bmi"] = frame["bmi"].str.replace(".", ",")
    frame["member"] = random.choice(["True", "False"], rows)
    frame["policy"] = [f"{number:05}" for number in range(10_000 * seed, 10_000 * seed + rows)]
    return frame


FORMATS = {"joined": "31.12.2024", "bmi": "1234,56"}


def logged(bundle: Bundle, frame: pd.DataFrame, ids: tuple[str, ...] = ()) -> LoggedRows:
    """The rows as the service would have logged them."""
    predictor = Predictor(bundle)
    columns = read_columns(frame, predictor.schema)
    rows = as_read(predictor.schema, columns, frame.to_dict("records"), ids)
    names = dict.fromkeys(name for row in rows for name in row)
    cells = {name: [row.get(name) for row in rows] for name in names}
    calls = pyarrow.table({name: pyarrow.nulls(len(rows), CALLS.field(name).type) for name in CALLS.names})
    return LoggedRows(calls, pyarrow.table(cells))


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> tuple[Bundle, KeptData]:
    """A model whose rows are named by a policy, and the data that it learned from."""
    folder = tmp_path_factory.mktemp("named")
    store, frame = LocalStore(folder / "artifacts"), written_elsewhere(400)
    made = trained(folder, store, frame, "charges", candidates=["linear"], formats=FORMATS, id="policy")
    return made.bundle, KeptData(store.root / "data")


@pytest.mark.parametrize("settings", [{"drop": ["policy"]}, {"id": "policy"}, {"drop": ["policy"], "time": "joined"}])
def test_rows_of_the_training_are_told_apart_as_training_did(tmp_path, settings):
    store, frame = LocalStore(tmp_path / "artifacts"), written_elsewhere(400)
    bundle = trained(tmp_path, store, frame, "charges", candidates=["linear"], formats=FORMATS, **settings).bundle
    kept = KeptData(store.root / "data")
    table = read(load_problem(tmp_path / "slipway.yaml", environ={}))
    ids = ("policy",) if "id" in settings else ()
    rows, others = logged(bundle, frame, ids), logged(bundle, written_elsewhere(400, seed=1), ids)
    learned = learned_of(bundle, kept)
    cells = [name for name in table.frame if name in frame]
    parted = {tuple(row) for row in table.frame[cells].fillna("").astype(str).to_numpy()}
    held = [tuple(row) in parted for row in frame[cells].fillna("").astype(str).to_numpy()]
    assert sum(held) == table.held.sum() and learned.held_out(rows).tolist() == held
    assert not learned.is_new(rows).any()
    if "time" in settings:
        assert Learned(learned.split, latest=learned.split.boundary).is_new(rows).tolist() == held
    else:
        assert learned.is_new(others).all() and 0.1 < learned.held_out(others).mean() < 0.3


def test_a_row_without_its_id_is_neither_new_nor_held_out(named):
    rows, learned = logged(named[0], written_elsewhere(100, seed=1)), learned_of(*named)
    assert not learned.is_new(rows).any()
    assert not Learned(replace(learned.split, share=1.0)).held_out(rows).any()


def test_without_the_kept_data_no_row_is_known_to_be_new(named, tmp_path):
    bundle, kept = named
    rows = logged(bundle, written_elsewhere(100, seed=1), ("policy",))
    whole, learned = learned_of(bundle, kept), learned_of(bundle, KeptData(tmp_path))
    assert not learned.is_new(rows).any() and learned.held_out(rows).any()
    [both] = merged(whole, learned)
    assert whole.is_new(rows).all() and not both.is_new(rows).any()
    [both] = merged(whole, whole)
    assert both.is_new(rows).all()


def test_of_a_model_that_was_fitted_elsewhere_nothing_is_known(named, monkeypatch):
    monkeypatch.setattr("slipway.monitoring.learned.IMPORTED", "linear")
    assert learned_of(*named).keys is None


def test_of_what_a_cluster_learned_from_the_kept_sample_is_only_a_part(named, monkeypatch):
    """A row of its table that is not in the sample is not new."""
    monkeypatch.setattr(Model, "of_cluster", True)
    rows, learned = logged(named[0], written_elsewhere(100, seed=1), ("policy",)), learned_of(*named)
    assert not learned.is_new(rows).any() and learned.held_out(rows).any()


def test_what_the_log_cannot_tell_is_said(named):
    split = model_of(named[0]).split
    assert untold(split, ["policy", "age"], []) == ""
    assert untold(split, ["policy", "age"], ["policy"]) == "the log omits or hashes policy, by which the rows were divided"
    assert untold(split, ["age"], []) == "rows were divided by policy, which requests do not have"
    assert unlike(split, split, ()) == "" and unlike(split, split, ("region",)) != ""
