"""FLAML with a budget of 60 seconds."""

from exchange import answer, given, tables
from flaml import AutoML


def main() -> None:
    run = given()
    features, target, asked = tables(run)
    for name in features.select_dtypes(exclude=["number", "bool"]):
        features[name], asked[name] = features[name].astype(object), asked[name].astype(object)
    automl = AutoML()
    task = "regression" if run["task"] == "regression" else "classification"
    target = target if run["task"] == "regression" else target.astype(object)
    settings = {"task": task, "metric": run["metric"], "time_budget": 60, "seed": run["seed"], "n_jobs": 2, "verbose": 0}
    automl.fit(features, target, **settings)
    if run["task"] == "regression":
        answer(run, automl.predict(asked))
    else:
        answer(run, automl.predict_proba(asked), automl.classes_)


if __name__ == "__main__":
    main()
