"""FastAPI with the pickled pipeline; a plain function, so that a thread of the pool answers."""

import os
from typing import Annotated, Any

import joblib
import pandas as pd
from fastapi import Body, FastAPI

app = FastAPI()
model = joblib.load(os.path.join(os.environ["MODEL"], "pipeline.joblib"))


@app.post("/predict")
def predict(asked: Annotated[Any, Body()]) -> dict:
    frame = pd.DataFrame(asked if isinstance(asked, list) else [asked])
    return {"predictions": model.predict(frame).tolist()}
