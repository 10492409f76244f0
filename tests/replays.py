"""Bundles that differ in one weight, and the log of what production asked one of them."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

import bundles
from slipway.model.bundle import Bundle
from slipway.model.event import CLOSED, RAW, SHORT, Event, to_line
from slipway.model.predictor import Predictor
from slipway.monitoring.collector import collect
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.replay import replay
from slipway.monitoring.replayed import Replay
from slipway.monitoring.row_keys import request_key
from slipway.problem import Problem, load_problem
from slipway.store.local import LocalStore
from slipway.table.cell import columns_from_rows
from slipway.training.fitting.export import linear_graph

NOW = datetime(2026, 11, 22, 6)
WEIGHTS = {  # of age, bmi, smoker and the weekday; the champion's are those of bundles.TASKS
    "regression": [[250.0], [30.0], [29000.0], [1.0]],
    "binary": [[0.03], [0.01], [-0.5], [0.02]],
    "multiclass": [[0.03, 0.01, 0.0], [0.0, 0.02, 0.01], [-1.0, 0.0, 1.0], [0.1, 0.0, 0.1]],
}


def rows_of(count: int, seed: int = 0) -> list[dict]:
    """Rows of the schema of bundles.py."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2020-01-01") + random.integers(0, 1_200, count)
    return [
        {"age": int(age), "smoker": str(smoker), "joined": str(day)} | ({} if bmi < 18 else {"bmi": round(float(bmi), 2)})
        for age, bmi, smoker, day in zip(
            random.integers(18, 65, count), random.normal(30, 6, count).clip(16, 53), random.choice(["no", "yes"], count), days
        )
    ]


class Production:
    """A champion, a challenger whose smokers are answered otherwise, and a log."""

    def __init__(self, folder: Path, task: str = "regression", settings: str = "") -> None:
        self.folder, self.task = folder, task
        self.store, self.log = LocalStore(folder / "artifacts"), Log(folder / "log")
        self.champion = bundles.make_bundle(self.store, task)
        self.challenger = self.bundle(weights=WEIGHTS[task])
        self.settings(settings)
        self.log.make()

    @property
    def problem(self) -> Problem:
        return load_problem(self.folder / "slipway.yaml", environ={})

    def settings(self, more: str) -> None:
        target = bundles.TASKS[self.task]["target"]
        text = f"name: {self.task}\nsource: table.csv\ntarget: {target}\n{more}\n"
        (self.folder / "slipway.yaml").write_text(text)

    def bundle(self, changed: dict | None = None, twin: list | None = None, **changes) -> Bundle:
        """A bundle that is not the champion; `changed` are members of its model.json and twin.json, `twin` weights."""
        files = bundles.files(self.task, **changes)
        judging = bundles.twin(files)
        if twin:
            judging["twin.onnx"] = linear_graph(np.array(twin))
        for document, name in ((files, "model.json"), (judging, "twin.json")):
            document[name] = json.dumps(json.loads(document[name]) | (changed or {})).encode()
        return self.store.add(self.task, files, judging)

    def ask(self, rows: list[dict], back: int = 1, by: Bundle | None = None, answers=None, request: str = "", **more) -> None:
        """One request so many days ago, answered by the champion unless another bundle did, or other answers are given."""
        bundle, at = by or self.champion, NOW - timedelta(days=back)
        predictor = Predictor(bundle)
        said = (
            predictor.scores(columns_from_rows(predictor.schema, rows)).tolist() if answers is None else [*map(float, answers)]
        )
        request = request or f"r-{back}"
        event = Event(at=at.isoformat() + "Z", id=request, bundle=bundle.digest, rows=rows, answers=said, **more)
        place = self.log.root / RAW / f"date={at.date()}" / f"bundle={bundle.digest[:SHORT]}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"local-{back}-{len(rows)}{CLOSED}").write_bytes(to_line(event))

    def label(self, truths: list[str], request: str = "r-1") -> None:
        """What really happened to the rows of a request."""
        found = {(request_key(request, number), NOW): (truth, None) for number, truth in enumerate(truths)}
        add(self.log, Outcomes(found, len(found), ()), NOW, f"{request}.csv")

    def replay(self, challenger: Bundle | None = None, days: int = 7, **more) -> Replay | None:
        told: list[str] = []
        collect(self.log, self.problem.id, 90, NOW, told.append)
        assert told == []
        return replay(self.problem, self.store, self.log, challenger or self.challenger, days, NOW, **more)

    def scores(self, bundle: Bundle, rows: list[dict]) -> np.ndarray:
        predictor = Predictor(bundle)
        return predictor.scores(columns_from_rows(predictor.schema, rows))
