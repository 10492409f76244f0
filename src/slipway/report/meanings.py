"""What metrics are called and what they mean, for readers who are not statisticians."""

GREATER = frozenset({"r2", "roc_auc", "pr_auc", "accuracy", "balanced_accuracy", "f1", "f1_macro"})  # is better

NAMES = {
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R²",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "f1_macro": "macro F1",
    "cost": "cost per row",
}

MEANINGS = {
    "rmse": "root of the mean squared error; large errors weigh more",
    "mae": "average size of the error",
    "r2": "share of the variation that the model explains",
    "roc_auc": "probability that a positive row ranks above a negative one",
    "pr_auc": "average precision over all thresholds",
    "log_loss": "penalty for probabilities that miss the true label",
    "brier": "squared error of the probability",
    "accuracy": "share of correct labels",
    "balanced_accuracy": "share of correct labels; every class has the same weight",
    "f1": "balance of precision and recall of the positive label",
    "f1_macro": "balance of precision and recall; mean over the classes",
    "cost": "average cost per row, with the declared costs",
}


def called(metric: str) -> str:
    """The name of a metric as people write it."""
    return NAMES.get(metric, metric)


def opening(metric: str) -> str:
    """The same at the beginning of a sentence."""
    name = called(metric)
    return name[:1].upper() + name[1:]
