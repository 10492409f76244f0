"""The calls that are counted, of a small champion with everything on."""

import http.client
import io
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from counting import Call, Counter, c_calls, cost, opcodes
from figures import MODULES, RESIDENT, Figures

ROOT = Path(__file__).resolve().parents[2]
ROW = {"age": 31, "sex": "female", "bmi": 25.74, "children": 0, "smoker": "no", "region": "southeast"}
TABLE_ROWS = 10_000
CALLS = 100


def make_problem(folder: Path) -> None:
    """A champion and its problem, with everything on, and a table to score."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    from bundles import make_bundle
    from slipway.model.encoding import Encoding, Output
    from slipway.store.local import LocalStore
    from slipway.table.schema import Field, Schema

    schema = Schema(
        (
            Field("age", "integer", minimum=18, maximum=64, example=31),
            Field("sex", "category", levels=("female", "male"), example="female"),
            Field("bmi", "number", minimum=15.96, maximum=53.13, example=25.74),
            Field("children", "integer", minimum=0, maximum=5, example=0),
            Field("smoker", "category", levels=("no", "yes"), example="no"),
            Field("region", "category", levels=("northeast", "northwest", "southeast", "southwest"), example="southeast"),
        )
    )
    outputs = [
        Output("level", each.name, levels=(level,)) if level else Output("value", each.name)
        for each in schema
        for level in each.levels or ("",)
    ]
    weights = [[100.0]] * len(outputs)
    encoding = Encoding(schema, tuple(outputs))
    make_bundle(LocalStore(folder / "artifacts"), "regression", schema=schema, encoding=encoding, rows=[ROW], weights=weights)
    text = "name: regression\nsource: table.csv\ntarget: charges\nlog: {to: files}\n"
    (folder / "slipway.yaml").write_text(text)
    (folder / "table.csv").write_text("\n".join([",".join(ROW), *[",".join(map(str, ROW.values()))] * TABLE_ROWS, ""]))


START = """
import resource, sys
from slipway.serving import create_app
create_app().extensions["slipway"].load()
print(len(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def start(folder: Path) -> Figures:
    """A service that has loaded its model, in a process without anything else."""
    environ = os.environ | {"SLIPWAY_PROBLEM": str(folder / "slipway.yaml")}
    done = subprocess.run([sys.executable, "-c", START], env=environ, check=True, capture_output=True, text=True)
    modules, kilobytes = map(int, done.stdout.split())
    return {MODULES: modules, RESIDENT: round(kilobytes / 1024, 1)}


def service(folder: Path) -> Figures:
    """Calls as gunicorn makes them."""
    from slipway.problem import load_problem
    from slipway.serving import create_app

    app = create_app(load_problem(folder / "slipway.yaml"))
    calls = {
        "POST /predict, 1 row": _post(app, ROW),
        "POST /predict, 100 rows": _post(app, [ROW] * 100),
        "GET /healthz": _get(app, "/healthz"),
    }
    figures: Figures = {}
    for name, call in calls.items():
        figures |= {f"{name}: {measure}": value for measure, value in cost(call).items()}
    return figures


def batch(folder: Path) -> Figures:
    """A table of 10,000 rows, read, answered and written, as `slipway predict` does it."""
    from slipway.batch.open import open_batch
    from slipway.batch.run import run
    from slipway.problem import load_problem

    problem = load_problem(folder / "slipway.yaml")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # as many threads on every machine

    def call() -> None:
        run(open_batch(problem, str(folder / "table.csv"), str(folder / "out.csv"), None, True, None), lambda mark, says: None)

    return {f"predict, 10,000 rows: {measure}": value for measure, value in cost(call, turns=3).items()}


def worker(folder: Path) -> Figures:
    """A worker of gunicorn that one client keeps calling: its loop, HTTP and the application."""
    from gunicorn.app.base import BaseApplication

    from slipway.serving import gunicorn_conf

    os.environ["SLIPWAY_PROBLEM"] = str(folder / "slipway.yaml")

    class Served(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name in ("worker_class", "threads", "keepalive", "worker_tmp_dir", "post_worker_init", "accesslog"):
                self.cfg.set(name, getattr(gunicorn_conf, name))

        def load(self) -> Any:
            from slipway.serving import create_app

            return create_app()

    served = Served()
    cfg, log = served.cfg, served.cfg.logger_class(served.cfg)
    figures: Figures = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for measure, watch in (("opcodes", opcodes), ("C calls", c_calls)):
            one = cfg.worker_class(1, os.getppid(), [listener.dup()], served, cfg.timeout, cfg, log)
            counter = itertools.count()
            with ThreadPoolExecutor(1) as client:  # not counted: only threads that begin later are
                client.submit(int).result()  # now it has begun
                told = client.submit(_call, listener.getsockname(), one, counter)
                with watch(counter):
                    one.init_process()
            figures[f"gunicorn's worker, POST /predict, 1 row: {measure}"] = told.result()
    return figures


def _call(address: tuple[str, int], one: Any, counter: Counter) -> int:
    """Call it again and again over one connection, and end it; what a call counts, from one answer to the next."""
    body, headers = json.dumps(ROW), {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        counts = []
        for _ in range(2 * CALLS):
            connection.request("POST", "/predict", body, headers)
            with connection.getresponse() as answer:
                assert (answer.status, bool(answer.read())) == (200, True)
            counts.append(next(counter))
        return round(statistics.median(after - before - 1 for before, after in pairwise(counts[CALLS:])))
    finally:
        one.alive = False
        connection.close()


PARTS: dict[str, Callable[[Path], Figures]] = {"start": start, "service": service, "worker": worker, "batch": batch}


def _post(app: Any, rows: object) -> Call:
    body = json.dumps(rows).encode()
    return lambda: _answer(app, "POST", "/predict", body)


def _get(app: Any, path: str) -> Call:
    return lambda: _answer(app, "GET", path, b"")


def _answer(app: Any, method: str, path: str, body: bytes) -> None:
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []
    answer = app(environ, lambda status, headers, error=None: statuses.append(status))
    for _ in answer:
        pass
    if hasattr(answer, "close"):
        answer.close()
    assert statuses == ["200 OK"], statuses
