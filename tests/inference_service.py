"""A service that speaks the Open Inference Protocol, and rows as its tensors."""

import json
from pathlib import Path
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families as parse

from bundles import files, said, twin
from conftest import Client
from many_rows import many_rows
from slipway.model.event import read_events
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer

DATATYPES = {"age": "INT64", "bmi": "FP64"}
SPEAKS = "protocols: [open-inference]"
LENIENT = f"{SPEAKS}, unknown_levels: warn, out_of_range: warn"


class Service:
    """A service that logs; `call` is one of its model's."""

    def __init__(self, folder: Path, task="regression", serving=LENIENT, name="", changes=None, **environ: str) -> None:
        self.folder, self.name = folder, name or task
        made, store = files(task, **(changes or {})), LocalStore(folder / "artifacts")
        self.digest = store.add(self.name, made, twin(made)).digest
        store.point(Pointer(self.digest, self.name))
        said(store, self.name, self.digest)
        settings = {"name": self.name, "source": "table.csv", "target": "charges", "id": ["person"], "log": {"to": "files"}}
        path = folder / "slipway.yaml"
        path.write_text(f"{json.dumps(settings)[:-1]}, serving: {{{serving}}}}}")
        self.app = build(load_problem(path, environ={}), environ)
        self.app.test_client_class = Client
        self.client = self.app.test_client()

    def infer(self, body, path: str = "infer", **headers: str):
        given = {"data": body, "content_type": "application/json"} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"/v2/models/{quote(self.name)}/{path}", headers=headers, **given)

    def refused(self, body, status: int = 400, **headers: str) -> str:
        """The text of an error."""
        answer = self.infer(body, **headers)
        assert (answer.status_code, answer.content_type) == (status, "application/json"), answer.text
        [(name, text)] = answer.json.items()
        assert name == "error"
        return text

    def events(self) -> list:
        self.app.extensions["slipway"].recorder.close()
        return [event for path in sorted((self.folder / "log").rglob("*.jsonl")) for event in read_events(path.read_bytes())]

    def counts(self) -> dict:
        """By name and the labels but the bundle's."""
        samples = [sample for family in parse(self.client.get("/metrics").text) for sample in family.samples]
        return {
            (sample.name, *sorted(value for name, value in sample.labels.items() if name != "bundle")): sample.value
            for sample in samples
        }


def tensor(name: str, *data, datatype: str = "", **more) -> dict:
    return {
        "name": name,
        "shape": [len(data)],
        "datatype": datatype or DATATYPES.get(name, "BYTES"),
        "data": list(data),
    } | more


def tensors(rows: list, nested: bool = False) -> list[dict]:
    """A tensor for each column of the rows."""
    found = [tensor(name, *(row.get(name) for row in rows)) for name in {name: None for row in rows for name in row}]
    if not nested:
        return found
    return [each | {"shape": [len(rows), 1], "data": [[cell] for cell in each["data"]]} for each in found]


def odd_rows(count: int) -> list[dict]:
    """Rows with missing cells, ids, and here and there a level or a number that training never saw."""
    return [
        row
        | {"person": f"p{place}"}
        | ({"smoker": "sometimes"} if place % 50 == 0 else {})
        | ({"age": 99} if place % 70 == 0 else {})
        for place, row in enumerate(many_rows(count))
    ]
