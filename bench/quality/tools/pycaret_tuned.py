"""PyCaret: compare all models, tune the best, fit it on all rows."""

import importlib

import pandas as pd
from exchange import answer, given, tables

METRICS = {"rmse": "RMSE", "roc_auc": "AUC", "log_loss": "Accuracy"}


def main() -> None:
    run = given()
    features, target, asked = tables(run)
    caret = importlib.import_module("pycaret.regression" if run["task"] == "regression" else "pycaret.classification")
    together = pd.concat([features, target.rename("the target")], axis=1)
    caret.setup(together, target="the target", session_id=run["seed"], verbose=False, n_jobs=2, html=False)
    metric = METRICS[run["metric"]]
    best = caret.compare_models(sort=metric, verbose=False)
    tuned = caret.tune_model(best, optimize=metric, verbose=False, choose_better=True)
    final = caret.finalize_model(tuned)
    if run["task"] == "regression":
        answer(run, caret.predict_model(final, data=asked, verbose=False)["prediction_label"].to_numpy())
        return
    found = caret.predict_model(final, data=asked, raw_score=True, verbose=False)
    names = [name for name in found if name.startswith("prediction_score_")]
    if not names:
        raise SystemExit(f"the best model, {type(tuned).__name__}, has no probabilities")
    answer(run, found[names].to_numpy(), [name.removeprefix("prediction_score_") for name in names])


if __name__ == "__main__":
    main()
