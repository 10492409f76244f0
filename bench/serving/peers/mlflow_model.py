"""Save the pickled pipeline as a model of MLflow: python mlflow_model.py FOLDER signed|unsigned."""

import json
import shutil
import sys
from pathlib import Path

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

folder, way = Path(sys.argv[1]), sys.argv[2]
model = joblib.load(folder / "pipeline.joblib")
frame = pd.DataFrame(json.loads((folder / "rows.json").read_text()))
signature = infer_signature(frame, model.predict(frame)) if way == "signed" else None
shutil.rmtree(folder / f"mlflow-{way}", ignore_errors=True)
mlflow.sklearn.save_model(model, folder / f"mlflow-{way}", signature=signature, serialization_format="cloudpickle")
