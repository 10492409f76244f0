"""Small bundles made by hand, one per task, for tests that need a bundle but no training."""

import json

import numpy as np

from evaluations import evaluation
from slipway.model.bundle import Bundle
from slipway.model.contents import Counts, Estimate, Golden, Holdout, Member, Metrics, Model, Outputs, Ranked, Split
from slipway.model.encoding import Encoding, Output
from slipway.model.predictor import Predictor, golden_answers
from slipway.model.reference import Loss, Reference
from slipway.model.typed_document import Draft, written
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.store.verdicts import to_bytes
from slipway.table.block import Block, Layout
from slipway.table.cell import columns_from_rows
from slipway.table.schema import Columns, Field, Schema
from slipway.training.fitting.export import linear_graph

SCHEMA = Schema(
    (
        Field("age", "integer", minimum=18, maximum=64, example=39),
        Field("bmi", "number", minimum=15.96, maximum=53.13, missing=0.1, example=30.4),
        Field("smoker", "category", levels=("no", "yes"), example="no"),
        Field("joined", "date", minimum=18262, maximum=19722, example="2022-01-01"),
    )
)
ENCODING = Encoding(
    SCHEMA,
    (
        Output("value", "age"),
        Output("value", "bmi", fill=30.0),
        Output("level", "smoker", levels=("yes",)),
        Output("weekday", "joined"),
    ),
)
ROWS = [
    {"age": 19, "bmi": 27.9, "smoker": "yes", "joined": "2020-01-01"},
    {"age": 62, "bmi": None, "smoker": "no", "joined": "2023-06-30"},
    {"age": 45, "bmi": 33.3, "smoker": "no", "joined": "2021-11-05"},
    {"age": 33, "bmi": 22.7, "smoker": "yes", "joined": "2022-02-28"},
]
TASKS = {
    "regression": {
        "target": "charges",
        "classes": (),
        "threshold": None,
        "link": "identity",
        "base": (1000.0,),
        "weights": [[250.0], [30.0], [23000.0], [1.0]],
        "metric": "rmse",
    },
    "binary": {
        "target": "approved",
        "classes": ("N", "Y"),
        "threshold": 0.5,
        "link": "sigmoid",
        "base": (-1.0,),
        "weights": [[0.03], [0.01], [1.5], [0.02]],
        "metric": "roc_auc",
    },
    "multiclass": {
        "target": "grade",
        "classes": ("a", "b", "c"),
        "threshold": None,
        "link": "softmax",
        "base": (0.1, 0.0, -0.1),
        "weights": [[0.03, 0.01, 0.0], [0.0, 0.02, 0.01], [1.0, 0.0, -1.0], [0.1, 0.0, 0.1]],
        "metric": "log_loss",
    },
}


def files(task: str, schema: Schema = SCHEMA, encoding: Encoding = ENCODING, rows=ROWS, weights=None) -> dict:
    """The files of a linear bundle, name → bytes, as training writes them."""
    facts = dict(TASKS[task])
    own = facts.pop("weights")
    weights = np.array(own if weights is None else weights)
    metric = facts["metric"]
    member = Member(
        candidate="linear",
        settings={"penalty": 1.0},
        input="float64",
        link=facts.pop("link"),
        base=facts.pop("base"),
        encoding=Outputs(encoding.outputs, encoding.features),
    )
    model = Model(
        **facts,
        task=task,
        members=(member,),
        split=Split(0.2, task, schema.names),
        rows=Counts(100, 20, 0),
        data="0" * 64,
        libraries={"scikit-learn": "1.9.1"},
        costs=None,
    )
    metrics = Metrics(
        metric=metric,
        greater_is_better=metric == "roc_auc",
        confidence=0.9,
        holdout=Holdout(20, {metric: Estimate(0.8, 0.7, 0.9)}, {metric: 0.5}),
        leaderboard=(Ranked("linear", {"penalty": 1.0}, 0.8, 0.01, True, ""),),
        importance=tuple((name, 0.1) for name in schema.names),
    )
    draft = Draft({"schema.json": written(schema), "model.json": written(model), "model.onnx": linear_graph(weights)})
    golden = Golden(tuple(rows), tuple(golden_answers(Predictor(draft), columns_from_rows(schema, rows))))
    drift = {
        "rows": 100,
        "fields": {name: {"missing": 0.0, "edges": [18, 40, 64], "counts": [50, 50]} for name in schema.names},
    }
    return dict(draft.files) | {
        "golden.json": written(golden),
        "metrics.json": written(metrics),
        "drift.json": written(drift),
        "evaluation.json": written(evaluation(task, schema)),
        "live.json": written(live(task, facts["classes"])),
        "report.html": b"<!doctype html><title>Report</title><p>A report.",
        "card.md": b"# Model card\n",
    }


def live(task: str, classes: tuple[str, ...]) -> Reference:
    """What production is compared with."""
    if not classes:
        return Reference(rows=20, edges=(0, 9), counts=(20,), errors=(1,), losses={"absolute_error": Loss(1, 2)})
    labels = dict.fromkeys(classes, 5)
    curve = {"scores": (0.1, 0.9), "shares": (0.2, 0.8)}
    return Reference(rows=20, edges=(0.1, 0.9), counts=(20,), labels=labels, **curve, losses={"log_loss": Loss(1, 2)})


def twin(made: dict) -> dict:
    """What judged: the same model, learned from fewer rows."""
    model = json.loads(made["model.json"])
    model["members"][0]["graph"] = "twin.onnx"
    model["rows"]["training"] -= model["rows"]["holdout"]
    return {"twin.json": written(model), "twin.onnx": made["model.onnx"]}


FIRST = {"outcome": "promoted", "reasons": ["it is the first champion"]}


def said(store: LocalStore, problem: str, digest: str, **verdict) -> None:
    """Why that is the champion."""
    told = {"at": "2026-01-01T00:00:00+00:00", "digest": digest} | FIRST | verdict
    (store.root / "verdict.json").write_bytes(to_bytes(problem, [told]))


def make_bundle(store: LocalStore, task: str, promote: bool = True, verdict: dict = FIRST, **changes) -> Bundle:
    """A bundle whose golden predictions replay, in `store`; by default its champion."""
    made = files(task, **changes)
    bundle = store.add(task, made, twin(made))
    if promote:
        store.point(Pointer(bundle.digest, task))
        said(store, task, bundle.digest, **verdict)
    return bundle


def block_of(schema: Schema, columns: Columns) -> Block:
    """The same columns as a request has them."""
    layout = Layout(schema.fields)
    matrix = np.empty((len(next(iter(columns.values()))), len(layout.places)))
    for name, place in layout.places.items():
        matrix[:, place] = columns.get(name, np.nan)
    return Block(layout, matrix)
