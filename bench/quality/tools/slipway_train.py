"""Slipway: `slipway train` on the rows given, and what it serves."""

import tempfile
from pathlib import Path

import yaml
from exchange import answer, given, tables

from slipway import Predictor, load_problem, train


def main() -> None:
    run = given()
    _, _, asked = tables(run)
    described = {
        "name": "bench",
        "source": run["train"],
        "target": run["target"],
        "metric": run["metric"],
        "data": {"keep": 0},
    }
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "slipway.yaml"
        path.write_text(yaml.safe_dump(described))
        predictor = Predictor(train(load_problem(path, environ={})).bundle)
    found = predictor.predict(asked)
    answer(run, found.values if found.probabilities is None else found.probabilities, predictor.classes or None)


if __name__ == "__main__":
    main()
