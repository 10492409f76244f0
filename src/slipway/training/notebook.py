"""`slipway.train`: training as a notebook or another program asks for it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import pandas as pd
import pyarrow

from slipway.errors import TableError
from slipway.problem import Problem, problem_of
from slipway.table.dialect import require_unique
from slipway.threads import cores
from slipway.training.fitting.forks import warm_up

if TYPE_CHECKING:
    from slipway.training.outcome import Outcome

Frame: TypeAlias = pd.DataFrame | pyarrow.Table


@overload
def train(frame: Problem) -> "Outcome": ...


@overload
def train(frame: Frame, problem: Problem | Mapping[str, Any]) -> "Outcome": ...


def train(frame: Frame | Problem, problem: Problem | Mapping[str, Any] | None = None) -> "Outcome":
    """Train like ``slipway train``: compare, write the bundle, pass the gate, and note the verdict in the journal.

    Parameters
    ----------
    frame : DataFrame or pyarrow.Table, or Problem
        Rows to learn from. A problem alone is trained from its own source.
    problem : Problem or mapping
        What slipway.yaml would say; of a mapping, `target` is enough. Bundles are written to ``artifacts/`` beside
        slipway.yaml, or in the current folder for a mapping.

    Returns
    -------
    Outcome
        With `verdict`, `bundle`, `predictor`, `metrics`, `leaderboard` and `report`.

    Raises
    ------
    ProblemError
        When a setting is unknown or impossible.
    TableError
        When the frame does not fit the problem, or no candidate can be exported exactly.

    Examples
    --------
    >>> slipway.train(frame, {"target": "charges"})
    >>> slipway.train(slipway.load_problem("slipway.yaml"))
    """
    if cores() > 1:
        warm_up()
    from slipway.training.train import train as train_from  # it loads scikit-learn

    if isinstance(frame, Problem):
        return train_from(frame)
    if problem is None:
        raise TableError("train: a frame alone names no target", 'Say what to predict: train(frame, {"target": "charges"})')
    return train_from(problem_of(problem), given=_arrow(frame))


def _arrow(frame: Frame) -> pyarrow.Table:
    if isinstance(frame, pyarrow.Table):
        require_unique(frame.column_names)
        return frame
    if not isinstance(frame, pd.DataFrame):
        says = f"expected a pandas frame or a pyarrow.Table, got {type(frame).__name__}"
        raise TableError(says, "Make a frame of it: pandas.DataFrame(rows)")
    require_unique([str(name) for name in frame.columns])
    try:
        return pyarrow.Table.from_pandas(frame.rename(columns=str), preserve_index=False).replace_schema_metadata()
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise TableError(f"the frame: {error}", "Make each column of one type, for example all text") from error
