"""Own features, from slipway.yaml to an answer: a person sends the fields of a row, the model computes the rest."""

import numpy as np
import pandas as pd

from slipway.model.predictor import Predictor
from slipway.store.local import LocalStore
from slipway.table.cell import columns_from_rows
from slipway.table.schema import Feature
from slipway.training.train import train
from tables import problem


def loans(rows: int = 300) -> pd.DataFrame:
    """A debt that hangs on the ratio of two columns, which no linear model of them says."""
    random = np.random.default_rng(0)
    income, partner = random.integers(20, 60, rows), random.integers(0, 60, rows)
    amount = random.integers(1, 500, rows)
    rate = np.round(100 * amount / (income + partner) + random.normal(0, 1, rows), 3)
    return pd.DataFrame({"income": income, "partner income": partner, "amount": amount, "rate": rate}).astype(str)


def test_a_model_learns_from_them_and_computes_them_itself(tmp_path):
    declared = {"total": "income + `partner income`", "burden": "amount / total", "third": "quantiles(total, 3)"}
    made = {}
    for name, features in (("with", declared), ("without", {})):
        folder = tmp_path / name
        folder.mkdir()
        asked = problem(folder, loans(), "rate", candidates=["linear"], features=features)
        made[name] = Predictor(train(asked, LocalStore(folder / "artifacts"), jobs=1).bundle)
        made[name].replay()
    errors = {name: predictor.bundle.json("metrics.json")["holdout"]["metrics"]["rmse"] for name, predictor in made.items()}
    assert errors["with"]["high"] < 0.2 * errors["without"]["value"]
    predictor = made["with"]
    assert predictor.schema.names == ("income", "partner income", "amount")
    assert predictor.schema.features == tuple(Feature(name, text) for name, text in declared.items())
    (member,) = predictor.model.members
    assert member.encoding.features[2].expression.startswith("bin(total, ")
    rows = columns_from_rows(predictor.schema, [{"income": 20, "partner income": 30, "amount": 100}])
    assert abs(predictor.predict(rows).values[0] - 200) < 10
    explained = predictor.contributions(rows)
    assert {name for name, _ in explained.fields} == set(predictor.schema.names)


def test_missing_cells_and_divisions_by_zero_are_answered(tmp_path):
    frame = loans()
    frame.loc[::9, "amount"] = ""
    frame.loc[::8, ["income", "partner income"]] = "0"
    declared = {"burden": "amount / (income + `partner income`)", "size": "log(income)"}
    asked = problem(tmp_path, frame, "rate", features=declared)
    predictor = Predictor(train(asked, LocalStore(tmp_path / "artifacts"), jobs=1).bundle)
    rows = columns_from_rows(
        predictor.schema,
        [
            {"income": 0, "partner income": 0, "amount": 100},
            {"income": 5, "partner income": 0, "amount": None},
        ],
    )
    assert np.isfinite(predictor.predict(rows).values).all()
