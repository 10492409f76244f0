"""Train what the peers serve, in the folder of a model: a scikit-learn pipeline as large as the estimator in Slipway's bundle.

python pipeline.py TARGET CANDIDATE
"""

import json
import sys
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

KINDS = {
    ("boosting", True): HistGradientBoostingRegressor,
    ("boosting", False): HistGradientBoostingClassifier,
    ("forest", True): RandomForestRegressor,
    ("forest", False): RandomForestClassifier,
}
SIZES = {"learning_rate", "max_iter", "max_leaf_nodes", "min_samples_leaf", "max_features", "max_samples", "bootstrap"}

target, candidate = sys.argv[1:]
frame = pd.read_csv("table.csv", na_values=["na"])
answer = frame.pop(target)
[member] = json.loads(Path("bundle/model.json").read_text())["members"]
kind = KINDS[candidate, pd.api.types.is_numeric_dtype(answer)]
estimator = kind(random_state=0, **{name: value for name, value in member["settings"].items() if name in SIZES})
steps = [estimator] if candidate == "boosting" else [SimpleImputer(strategy="median"), estimator]
texts = make_column_selector(dtype_exclude="number")
if texts(frame):
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    steps.insert(0, make_column_transformer((one_hot, texts), remainder="passthrough"))
joblib.dump(make_pipeline(*steps).fit(frame, answer), "pipeline.joblib")
