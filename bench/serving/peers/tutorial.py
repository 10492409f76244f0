"""A tutorial's service: Flask, a pickled pipeline, one DataFrame per request."""

import os

import joblib
import pandas as pd
from flask import Flask, jsonify, request

app = Flask(__name__)
model = joblib.load(os.path.join(os.environ["MODEL"], "pipeline.joblib"))


@app.post("/predict")
def predict():
    asked = request.get_json()
    frame = pd.DataFrame(asked if isinstance(asked, list) else [asked])
    return jsonify(predictions=model.predict(frame).tolist())
