"""Write the folder that MLServer starts from: python mlserver_model.py FOLDER."""

import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
place = folder / "mlserver"
place.mkdir(exist_ok=True)
parameters = {"uri": str(folder / "pipeline.joblib")}
model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
(place / "model-settings.json").write_text(json.dumps(model))
