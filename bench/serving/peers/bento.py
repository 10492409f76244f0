"""BentoML's two ways: a call for each request, and requests gathered into batches."""

import os
from typing import Any

import bentoml
import joblib
import pandas as pd

MODEL = os.path.join(os.environ["MODEL"], "pipeline.joblib")


@bentoml.service(workers=2)
class Plain:
    def __init__(self) -> None:
        self.model = joblib.load(MODEL)

    @bentoml.api
    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        return self.model.predict(pd.DataFrame(rows)).tolist()


@bentoml.service(workers=2)
class Batching:
    def __init__(self) -> None:
        self.model = joblib.load(MODEL)

    @bentoml.api(batchable=True)
    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        return self.model.predict(pd.DataFrame(rows)).tolist()
