"""What is compared: how each service is started, asked and set, and which of Slipway's duties it does."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from environments import ROOT

HERE = Path(__file__).resolve().parent
DUTIES = {
    "types": "types and missing fields are checked, with an error that names the field",
    "ranges": "ranges and levels are checked",
    "access log": "a line per request",
    "metrics": "counters and latencies for Prometheus, of all workers",
    "request id": "an id per request, in the answer and the logs",
    "headers": "security headers",
    "prediction log": "each row and its answer in a file before the answer is sent",
}
Rows = list[dict]


def _rows(rows: Rows) -> object:
    return rows[0] if len(rows) == 1 else rows


def _named(rows: Rows) -> object:
    return {"rows": rows}


def _split(rows: Rows) -> object:
    return {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}


def _tensor(rows: Rows) -> object:
    """One tensor of numbers, or with text a column each, as MLServer's pandas codec reads them."""
    names = list(rows[0])
    if not any(isinstance(value, str) for value in rows[0].values()):
        data = [[float(row[name]) for name in names] for row in rows]
        return {"inputs": [{"name": "x", "shape": [len(rows), len(names)], "datatype": "FP64", "data": data}]}
    inputs = []
    for name in names:
        data = [row[name] for row in rows]
        text = isinstance(data[0], str)
        one = {"name": name, "shape": [len(rows), 1], "datatype": "BYTES" if text else "FP64", "data": data}
        inputs.append(one | ({"parameters": {"content_type": "str"}} if text else {}))
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


@dataclass(frozen=True)
class Service:
    """One service.

    Parameters
    ----------
    command : tuple of str
        Its arguments after the interpreter of its environment; ``{port}``, ``{bind}``, ``{model}`` (the model's folder),
        ``{programs}`` (of its environment), ``{peers}`` and ``{root}`` are put in.
    asked : callable
        From rows to what its JSON body says.
    duties : tuple of str
        Of `DUTIES`.
    settings : str
        What is not its default, for the reader of the table.
    environ : mapping
        Variables of its process, with the same places put in.
    prepared : tuple of str
        Arguments of a script that is run once for each model before.
    pinned : bool
        Whether its numerical libraries use one thread per process.
    """

    name: str
    title: str
    environment: str
    command: tuple[str, ...]
    settings: str
    duties: tuple[str, ...] = ()
    path: str = "/predict"
    asked: Callable[[Rows], object] = _rows
    environ: Mapping[str, str] = field(default_factory=dict)
    prepared: tuple[str, ...] = ()
    pinned: bool = True

    @property
    def is_gunicorn(self) -> bool:
        """Whether it can listen on a socket in the file system, for nginx."""
        return "gunicorn" in self.command

    @property
    def is_pickled(self) -> bool:
        """Whether it serves the pipeline of scikit-learn."""
        return self.environment not in ("slipway", "flask", "onnx")

    def body(self, rows: Rows) -> bytes:
        return json.dumps(self.asked(rows)).encode()

    def placed(self, python: str, folder: Path, bind: str, port: int) -> tuple[list[str], dict[str, str]]:
        """The command and the variables of one start."""
        places = {"model": folder, "root": ROOT, "bind": bind, "port": port, "peers": HERE / "peers"}
        places["programs"] = Path(python).parent
        return (
            [python, *(argument.format(**places) for argument in self.command)],
            {name: value.format(**places) for name, value in self.environ.items()},
        )


_GUNICORN = ("-m", "gunicorn", "--workers", "2", "--bind", "{bind}", "--no-control-socket")
_UVICORN = ("-m", "uvicorn", "--workers", "2", "--host", "127.0.0.1", "--port", "{port}", "--app-dir", "{peers}")
_MLFLOW = (
    "-m",
    "mlflow",
    "models",
    "serve",
    "--env-manager",
    "local",
    "--host",
    "127.0.0.1",
    "--port",
    "{port}",
    "--workers",
    "2",
)
_BENTO = ("-m", "bentoml", "serve", "--working-dir", "{peers}", "--host", "127.0.0.1", "--port", "{port}")
_PEER = {"MODEL": "{model}"}
_ON_DISK = _PEER | {"LOG": "{model}/log", "PROMETHEUS_MULTIPROC_DIR": "{model}/counters"}


def _bentoml(name: str, way: str, service: str, settings: str) -> Service:
    return Service(
        name,
        f"BentoML 1.4, {way}",
        "bentoml",
        (*_BENTO, f"bento:{service}"),
        settings,
        ("access log", "metrics", "request id"),
        asked=_named,
        environ=_PEER,
    )


def _mlserver(workers: int) -> Service:
    return Service(
        name=f"mlserver-{workers}",
        title=f"MLServer 1.7, {workers} parallel workers",
        environment="mlserver",
        command=("{programs}/mlserver", "start", "{model}/mlserver"),
        settings="mlserver-sklearn; sensor as one tensor, insurance as columns for pandas; threads pinned",
        duties=("types", "metrics", "request id"),
        path="/v2/models/model/infer",
        asked=_tensor,
        environ={
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "0",
            "MLSERVER_METRICS_PORT": "0",
            "MLSERVER_PARALLEL_WORKERS": str(workers),
            "MLSERVER_DEBUG": "false",
            "MLSERVER_HOST": "127.0.0.1",
        },
        prepared=("mlserver_model.py", "{model}"),
    )


_ALL = (
    Service(
        "slipway",
        "Slipway",
        "slipway",
        (
            "-m",
            "gunicorn",
            "--chdir",
            "{root}",
            "--config",
            "{root}/gunicorn.conf.py",
            "--workers",
            "2",
            "--bind",
            "{bind}",
            "app:app",
        ),
        "as `slipway new` sets it up, prediction log to files",
        tuple(DUTIES),
        environ={"SLIPWAY_PROBLEM": "{model}/slipway.yaml", "SLIPWAY_LOG": "{model}/log"},
    ),
    Service(
        "hello",
        "Flask hello-world, gunicorn sync",
        "flask",
        (*_GUNICORN, "--chdir", "{peers}", "hello:app"),
        "answers a constant: no model, no check",
    ),
    Service(
        "fastapi-onnx",
        "FastAPI + ONNX Runtime, by hand",
        "onnx",
        (*_UVICORN, "--no-access-log", "--log-level", "warning", "fastapi_onnx:app"),
        "Slipway's ONNX file; uvloop, httptools; pure ASGI middleware; orjson; one ORT thread",
        tuple(DUTIES),
        environ=_ON_DISK,
    ),
    Service(
        "fastapi",
        "FastAPI + pickled pipeline",
        "fastapi",
        (*_UVICORN, "--no-access-log", "--log-level", "warning", "fastapi_pickled:app"),
        "uvloop, httptools; a plain function in the thread pool; threads pinned",
        environ=_PEER,
    ),
    Service(
        "tutorial",
        "Flask + pickled pipeline, gunicorn sync",
        "tutorial",
        (*_GUNICORN, "--chdir", "{peers}", "tutorial:app"),
        "threads pinned",
        environ=_PEER,
    ),
    Service(
        "mlflow",
        "MLflow models serve, as it comes",
        "mlflow",
        (*_MLFLOW, "--model-uri", "{model}/mlflow-signed"),
        "signature; asyncio and h11, as without uvloop; threads not pinned",
        ("types", "access log"),
        "/invocations",
        _split,
        environ={"UVICORN_LOOP": "asyncio", "UVICORN_HTTP": "h11"},
        prepared=("mlflow_model.py", "{model}", "signed"),
        pinned=False,
    ),
    Service(
        "mlflow-best",
        "MLflow models serve, at its best",
        "mlflow",
        (*_MLFLOW, "--model-uri", "{model}/mlflow-unsigned"),
        "no signature; uvloop and httptools; no access log; threads pinned",
        (),
        "/invocations",
        _split,
        environ={"UVICORN_LOOP": "uvloop", "UVICORN_HTTP": "httptools", "UVICORN_LOG_LEVEL": "warning"},
        prepared=("mlflow_model.py", "{model}", "unsigned"),
    ),
    _bentoml("bentoml", "plain", "Plain", "2 workers; threads pinned"),
    _bentoml("bentoml-batching", "adaptive batching", "Batching", "2 workers; `batchable=True`; threads pinned"),
    _mlserver(0),
    _mlserver(2),
)
SERVICES = {service.name: service for service in _ALL}
