import sys

import pytest
from msgspec.structs import replace

from slipway.errors import TableError
from slipway.model.contents import Estimate
from slipway.sections import Search
from slipway.store.local import LocalStore
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.fitting.fitted import Entry
from slipway.training.train import train
from slipway.training.whole.gain import Gain
from slipway.training.whole.whole_table import _trial
from tables import charges, problem


def test_what_a_cluster_needs_is_missed_before_the_search(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    asked = replace(problem(tmp_path, charges(), "charges"), search=Search(engine="spark"))
    with pytest.raises(TableError, match="XGBoost is not installed"):
        train(asked, LocalStore(tmp_path / "artifacts"), jobs=1)


@pytest.mark.parametrize(
    ("estimate", "sure", "says"),
    [
        (Estimate(1.84, 1.72, 1.97), True, "gained 1.84 (1.72 to 1.97) of rmse on 3,974 rows that neither had learned from"),
        (Estimate(0.1, -0.1, 0.3), False, "which chance explains: the model of the sample is kept"),
    ],
)
def test_a_gain_is_sure_when_its_interval_is_above_zero(estimate, sure, says):
    gain = Gain("rmse", estimate, 0.1, 3_974, 20_009, 127_791)
    assert gain.sure == sure and str(gain).endswith(says)


def test_the_settings_are_those_of_the_best_boosting_with_trees_that_are_not_small():
    small = {"learning_rate": 0.05, "max_leaf_nodes": 4, "min_samples_leaf": 3, "max_features": 0.5, "max_iter": 77}
    blend = Blend((Trial("linear", {"penalty": 1.0}), Trial("boosting", small, True)), (0.5, 0.5))
    found = _trial([Entry(blend, 1.0, 0.1), Entry(Trial("boosting", {"max_leaf_nodes": 63}), 2.0, 0.1), Entry(None, 3.0, 0.1)])
    expected = {"learning_rate": 0.05, "max_leaf_nodes": 31, "min_samples_leaf": 3, "max_features": 0.5}
    assert found == Trial("xgboost", expected, True)
    assert _trial([Entry(Trial("linear", {"penalty": 1.0}), 1.0, 0.1)]).settings["max_leaf_nodes"] == 31
