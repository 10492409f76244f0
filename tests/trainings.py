"""Trainings for tests."""

from pathlib import Path

import pandas as pd

from slipway.store.local import LocalStore
from slipway.training.outcome import Outcome
from slipway.training.train import train
from tables import problem


def trained(folder: Path, store: LocalStore, frame: pd.DataFrame, target: str, **settings) -> Outcome:
    """Train on the frame in this process; settings as those of `tables.problem`."""
    return train(problem(folder, frame, target, **settings), store, inputs={"data": "0"}, jobs=1)
