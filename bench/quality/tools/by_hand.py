"""A person's usual pipelines: one-hot levels, filled numbers, one estimator with its defaults."""

from exchange import answer, given, tables
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ESTIMATORS = {
    "HistGradientBoosting": (HistGradientBoostingRegressor, HistGradientBoostingClassifier, {"random_state": 0}),
    "linear": (Ridge, LogisticRegression, {}),
    "forest": (RandomForestRegressor, RandomForestClassifier, {"random_state": 0, "n_jobs": 2}),
    "LightGBM": (LGBMRegressor, LGBMClassifier, {"random_state": 0, "n_jobs": 2, "verbose": -1}),
}


def main() -> None:
    run = given()
    features, target, asked = tables(run)
    regressor, classifier, settings = ESTIMATORS[run["tool"]]
    if run["tool"] == "linear" and run["task"] != "regression":
        settings = {"max_iter": 2_000}
    estimator = (regressor if run["task"] == "regression" else classifier)(**settings)
    if run["tool"] == "LightGBM":  # it takes levels as they are
        texts = [name for name in features if features[name].dtype.kind not in "biuf"]
        for name in texts:
            levels = features[name].astype("category").cat.categories
            features[name], asked[name] = (
                part[name].astype("category").cat.set_categories(levels) for part in (features, asked)
            )
        fitted = estimator.fit(features, target)
    else:
        numbers = make_column_selector(dtype_include=["number", "bool"])
        levels = make_column_selector(dtype_exclude=["number", "bool"])
        fitted = make_pipeline(
            make_column_transformer(
                (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
                (
                    make_pipeline(
                        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
                    ),
                    levels,
                ),
            ),
            estimator,
        ).fit(features, target)
    if run["task"] == "regression":
        answer(run, fitted.predict(asked))
    else:
        answer(run, fitted.predict_proba(asked), fitted.classes_)


if __name__ == "__main__":
    main()
