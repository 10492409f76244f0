"""A model of Slipway for MLflow, as code: it reads the bundle beside it, and no pickle."""

from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
import msgspec
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from slipway.errors import TableError
from slipway.model.exported import Exported, FramePredictor


class SlipwayModel(mlflow.pyfunc.PythonModel):
    """Answers as the service does: ``prediction``, and ``probability_LABEL`` for each label."""

    def load_context(self, context: Any) -> None:
        """Read and verify the bundle, and replay its golden predictions."""
        exported = msgspec.json.decode(Path(context.artifacts["answering"]).read_bytes(), type=Exported)
        self.predictor = FramePredictor(Path(context.artifacts["bundle"]), exported)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer every row; an error names the rows that cannot be answered."""
        try:
            return pd.DataFrame(self.predictor.predict(model_input), index=model_input.index)
        except TableError as error:  # a server of MLflow tells the message of its own errors alone
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error


mlflow.models.set_model(SlipwayModel())
