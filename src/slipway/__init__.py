"""Slipway takes a tabular model from a table to production, and back.

What notebooks and other programs use; all else may change without notice:

>>> import slipway
>>> problem = slipway.load_problem("slipway.yaml")
>>> slipway.train(problem).verdict.outcome                # or slipway.train(frame, {"target": "charges"})
'promoted'
>>> champion = slipway.load_champion(problem)
>>> slipway.score_batch(champion, frame, problem)       # the frame with prediction, warning and reason
>>> champion.predict(frame).values                      # the predictions alone, whatever the policies

A Spark DataFrame is scored on its cluster by `slipway.spark.predict`, after ``import slipway.spark``.
Names are loaded at first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipway.batch.open import load_champion
    from slipway.errors import SlipwayError
    from slipway.model.tables import Predictor, score_batch
    from slipway.problem import Problem, load_problem
    from slipway.training.notebook import train

__version__ = "0.1.0"
__all__ = ["Predictor", "Problem", "SlipwayError", "load_champion", "load_problem", "score_batch", "train"]
HOMES = {
    "Predictor": "model.tables",
    "Problem": "problem",
    "SlipwayError": "errors",
    "load_champion": "batch.open",
    "load_problem": "problem",
    "score_batch": "model.tables",
    "train": "training.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'slipway' has no attribute {name!r}")
    return getattr(import_module(f"slipway.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
