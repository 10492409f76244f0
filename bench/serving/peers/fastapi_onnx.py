"""What a careful engineer writes by hand: FastAPI and ONNX Runtime, with the duties that Slipway has.

pydantic validates types, ranges and levels from a schema; each answer has a request id, security headers, a line in a JSON
access log, counters for Prometheus and, before it is sent, a line with the row and the answer in a file.
"""

import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from pydantic import ConfigDict, Field, create_model

BUNDLE = Path(os.environ["MODEL"]) / "bundle"
LOG = os.open(Path(os.environ["LOG"]) / f"{os.getpid()}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
ACCESS = 1
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
REQUESTS = Counter("requests", "Answers", ["path", "method", "status"])
SECONDS = Histogram("request_seconds", "Seconds of an answer", ["path"])
PREDICTED = Counter("rows_predicted", "Rows")


def _field(field: dict):
    """The type of one field of the schema: levels, or a range as wide again on both sides, as Slipway allows."""
    if field["levels"]:
        kind, more = Literal[tuple(field["levels"])], {}
    else:
        low, high = field["minimum"], field["maximum"]
        width = high - low
        kind = int if field["type"] == "integer" else float
        more = {"ge": max(low - width, 0) if low >= 0 else low - width, "le": high + width}
    if field["missing"]:
        return Annotated[kind | None, Field(**more)], None
    return Annotated[kind, Field(**more)], ...


schema = json.loads((BUNDLE / "schema.json").read_text())["fields"]
Row = create_model("Row", __config__=ConfigDict(extra="forbid"), **{field["name"]: _field(field) for field in schema})

model = json.loads((BUNDLE / "model.json").read_text())
[member] = model["members"]
outputs = [
    (
        output["field"],
        output["kind"],
        dict(zip(output["levels"], output["values"] or [1.0] * len(output["levels"]))),
        output["fill"],
    )
    for output in member["encoding"]["outputs"]
]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(BUNDLE / member["graph"], options, providers=["CPUExecutionProvider"])
[entry] = session.get_inputs()
[BASE] = member["base"]


def _numbers(row: dict) -> list[float]:
    found = []
    for name, kind, numbers, fill in outputs:
        value = row[name]
        if kind == "missing":
            found.append(float(value is None))
        elif value is None:
            found.append(float("nan") if fill is None else fill)
        else:
            found.append(numbers.get(value, 0.0) if numbers else value)
    return found


def _answers(rows: list[dict]) -> list[dict]:
    matrix = np.array([_numbers(row) for row in rows], dtype=np.float32)
    raw = session.run(None, {entry.name: matrix})[0].astype(np.float64).sum(axis=1) + BASE  # two columns: a sum and its rest
    if model["task"] == "regression":
        return [{"prediction": value} for value in (np.expm1(raw) if member["link"] == "expm1" else raw).tolist()]
    classes, calibration, second = model["classes"], model["calibration"], raw
    if calibration:
        second = calibration["shift"] + calibration["slope"] * second
    if member["link"] == "sigmoid":
        second = 1 / (1 + np.exp(-second))
    return [
        {"prediction": classes[share >= model["threshold"]], "probabilities": {classes[0]: 1 - share, classes[1]: share}}
        for share in second.tolist()
    ]


class Duties:
    """Around every request: its id, headers, a line of the access log and the counters."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500
        request_id = scope["state"]["request_id"] = uuid.uuid4().hex

        async def sending(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *SECURITY, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.inner(scope, receive, sending)
        finally:
            spent, path, method = time.perf_counter() - begun, scope["path"], scope["method"]
            REQUESTS.labels(path, method, str(status)).inc()
            SECONDS.labels(path).observe(spent)
            line = {"at": datetime.now(UTC), "id": request_id, "method": method, "path": path, "status": status}
            os.write(ACCESS, orjson.dumps(line | {"ms": round(1_000 * spent, 3)}) + b"\n")


app = FastAPI()
app.add_middleware(Duties)


def _kept(rows: list[dict], answers: list[dict], request_id: str) -> None:
    at = datetime.now(UTC)
    lines = [{"at": at, "id": request_id, "row": row, "answer": answer} for row, answer in zip(rows, answers)]
    os.write(LOG, b"".join(orjson.dumps(line) + b"\n" for line in lines))
    PREDICTED.inc(len(rows))


@app.post("/predict")
async def predict(asked: Row | list[Row], request: Request):
    rows = [row.model_dump() for row in (asked if isinstance(asked, list) else [asked])]
    answers = _answers(rows)
    _kept(rows, answers, request.scope["state"]["request_id"])
    answer = {"predictions": answers} if isinstance(asked, list) else answers[0]
    return Response(orjson.dumps(answer), media_type="application/json")


@app.get("/metrics")
def metrics() -> Response:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), media_type="text/plain")
