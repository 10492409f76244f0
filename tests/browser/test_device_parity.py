"""A model that was trained answers in a browser what the service answers: golden predictions, further rows, and refusals."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundles import make_bundle
from devices import answers, give, open_model, served
from servers import ROOT
from slipway.model.contents import golden_of, model_of
from slipway.model.predictor import ABSOLUTE, Predictor, close
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.sources.samples import SAMPLES
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.table.cell import request_rows
from slipway.table.schema import Field
from slipway.training.train import train

pytestmark = pytest.mark.browser

TASKS = ("regression", "binary", "multiclass")
CANDIDATES = ("linear", "forest", "boosting")
EXAMPLES = {"insurance": ROOT, "loan": ROOT / "examples" / "loan", "truck": ROOT / "examples" / "truck"}
FEATURES = """
features:
  stay: left - joined
  ratio: income / (`in debt` + 1)
  size: quantiles(income, 4)
  season: month(joined)
  scale: log(income)
"""
CALIBRATED = {"binary": {"slope": 1.7, "shift": -0.4}}
ROWS = 240


def table(task: str, rows: int = 300) -> pd.DataFrame:
    """Numbers, one of them skewed, levels, dates, and missing cells of each; the target hangs on most of them."""
    draw = np.random.default_rng(3)
    income, debt = np.round(draw.lognormal(8, 1.5, rows), 2), draw.integers(0, 500, rows)
    town = draw.choice(["Köln", "Bonn", "Ulm", "Jena", "Hof"], rows, p=[0.4, 0.3, 0.2, 0.07, 0.03])
    joined = np.datetime64("2020-01-01") + draw.integers(0, 900, rows)
    left = joined.astype("datetime64[m]") + draw.integers(0, 500_000, rows)
    raw = np.log(income) - 0.004 * debt + (town == "Bonn") + draw.normal(0, 0.3, rows)
    answer = np.digitize(raw, {"binary": [7.5], "multiclass": [6.5, 8]}.get(task, []))
    target = np.exp(np.clip(raw, 0, 12)).round(3) if task == "regression" else np.array(["no", "maybe", "yes"])[answer]
    frame = pd.DataFrame({"income": income, "in debt": debt, "town": town, "joined": joined, "left": left})
    frame = frame.astype(str).assign(target=target.astype(str))
    for place, name in enumerate(("income", "in debt", "town", "left")):
        frame.loc[place :: 11 + place, name] = "NA"
    return frame


def service_of(folder: Path, text: str):
    """Train what the text of a slipway.yaml says, and serve it whatever the gate says."""
    (folder / "slipway.yaml").write_text(text)
    problem = load_problem(folder / "slipway.yaml", environ={})
    store = LocalStore(folder / "artifacts")
    digest = train(problem, store, inputs={"data": "0"}, jobs=1).bundle.digest
    store.point(Pointer(digest, problem.name))
    return build(problem, {})


def trained(folder: Path, task: str, candidates: str, more: str = FEATURES):
    folder.mkdir(parents=True)
    table(task).to_csv(folder / "table.csv", index=False)
    head = f"name: p\nsource: table.csv\ntarget: target\ntask: {task}\n"
    return service_of(folder, f"{head}candidates: [{candidates}]\nsearch: {{trials: 1}}\n{more}")


def example(folder: Path, name: str):
    """One of the problems of this repository, small."""
    folder.mkdir(parents=True)
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(SAMPLES[name](400))
    lines = (EXAMPLES[name] / "slipway.yaml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("source:", "fetch:"))]
    cheap = "\nsource: table.csv\ncandidates: [boosting, linear]\nsearch: {trials: 1}\n"
    return service_of(folder, "\n".join(kept).replace("to: files", "to: none") + cheap)


def odd_cell(draw: random.Random, field: Field):
    """A cell that is unlike training, or wrong."""
    if field.type == "category":
        return draw.choice(["new", None, 1, True, f" {field.levels[0]} "])
    if field.type == "date":
        return draw.choice(["1999-12-31", "2024-02-30", "2024-02-29T23:59:59.5", "2024-01-01T01:00+02:00", None, 7, "soon"])
    low, high = field.minimum or 0.0, field.maximum or 1.0
    ends = [low, high, low - 1, high + 1, high + 0.9 * (high - low), high + 3 * (high - low), str(low), "x", 1.25, None]
    return draw.choice(ends)


def further_rows(service) -> list[dict]:
    """Golden rows with cells of one another, some of them odd."""
    draw = random.Random(5)
    known = [dict(row) for row in service.golden.rows]
    rows = []
    for _ in range(ROWS):
        row = {name: draw.choice(known)[name] for name in service.schema.names}
        if draw.random() < 0.5:
            name = draw.choice(service.schema.names)
            row[name] = odd_cell(draw, service.schema[name])
        if draw.random() < 0.1:
            row.pop(draw.choice(service.schema.names))
        rows.append(row)
    return rows


def plain(problems) -> list[dict]:
    return [{name: value for name, value in problem.items() if name != "row"} for problem in problems]


def require_same(predictor: Predictor, found: dict, answer: dict) -> None:
    """To the tolerance of parity, the end of the training that every bundle passed."""
    if predictor.task == "regression":
        assert close(answer["prediction"], found["prediction"])
        return
    for name in predictor.classes:
        assert close(answer["probabilities"][name], found["probabilities"][name])
    shares = sorted(answer["probabilities"].values())
    threshold = shares[-2] if predictor.threshold is None else predictor.threshold
    positive = shares[-1] if predictor.threshold is None else answer["probabilities"][predictor.positive]
    assert found["prediction"] == answer["prediction"] or abs(positive - threshold) <= 2 * ABSOLUTE


def require_parity(app, browser, rows: list[dict]) -> tuple[int, int]:
    """That the opened model answers and refuses rows as POST /predict does; how many it answered and refused."""
    client, predictor = app.test_client(), app.extensions["slipway"].predictor
    counts = [0, 0]
    for row, found in zip(rows, answers(browser, rows)):
        said = client.post("/predict", json=[row])
        counts[said.status_code != 200] += 1
        if said.status_code != 200:
            assert found == {"prediction": None, "errors": plain(said.json["errors"])}, row
            continue
        [answer] = said.json["predictions"]
        require_same(predictor, found, answer)
        assert found["warnings"] == plain(said.json.get("warnings", [])), row
    return counts[0], counts[1]


@pytest.fixture(scope="module")
def device(tmp_path_factory, chromium, web_runtime):
    """(app, change of the files) → the digest of its model, once the browser has opened it; or why it did not."""
    site, numbers = tmp_path_factory.mktemp("site"), iter(range(100))
    with served(site, web_runtime) as address:

        def opened(app, change=lambda folder: None):
            name = f"model-{next(numbers)}"
            give(app.extensions["slipway"], site / name)
            change(site / name)
            return open_model(chromium, address, name)

        yield opened
        chromium.get("about:blank")


@pytest.mark.parametrize("candidate", CANDIDATES)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_and_candidate(tmp_path, chromium, device, task, candidate):
    app = trained(tmp_path / "served", task, candidate)
    service = app.extensions["slipway"]
    assert device(app) == {"digest": service.digest}
    answered, refused = require_parity(app, chromium, further_rows(service))
    assert answered > 120 and refused > 15
