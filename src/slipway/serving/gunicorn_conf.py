"""gunicorn's configuration; ``gunicorn app:app`` finds it through gunicorn.conf.py, `slipway serve` by its name.

Each worker makes its own app and ONNX session after the fork. Numerical libraries get one thread per worker.
"""

import gc
import os
import sys
from typing import TYPE_CHECKING

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from slipway.errors import SlipwayError
from slipway.problem import load_problem
from slipway.serving.listener import refuse_when_stopped
from slipway.serving.scratch import make_scratch
from slipway.threads import cores, pin_threads

if TYPE_CHECKING:
    from slipway.serving.service import Service

MEMORY = "/dev/shm"
MOST_WORKERS = 4


pin_threads()
_memory = MEMORY if os.access(MEMORY, os.W_OK) else None

bind = f"0.0.0.0:{os.environ['PORT']}" if "PORT" in os.environ else "127.0.0.1:8080"
workers = int(os.environ.get("WEB_CONCURRENCY") or min(max(2, cores()), MOST_WORKERS))
worker_class = "slipway.serving.worker.Worker"
threads = 4
worker_connections = 4000  # of each worker; beyond them the client that is waited for longest has to go
backlog = 2048
timeout = 30
graceful_timeout = 20
keepalive = 75  # longer than a proxy keeps idle connections, so that it never reuses one just closed here
limit_request_line = 4094
forwarder_headers = ""  # gunicorn would take SCRIPT_NAME and PATH_INFO from the headers of any client on this machine
worker_tmp_dir = _memory
control_socket_disable = True  # it would fail on a read-only root, and can shut the service down
accesslog = None  # slipway.serving.access writes it
loglevel = "warning"

# prometheus_client asks for it when it is imported: a hook would be too late for an app that is loaded before the fork.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_scratch(_memory)


def on_starting(server: Arbiter) -> None:
    """Fail here, with one line, if there is nothing to serve: otherwise workers would fail one after another.

    Workers share what is imported here.
    """
    gc.disable()  # until workers start: what is imported is no garbage, and to go through it took a sixth of the start
    from slipway.serving.factory import checked

    try:
        checked(load_problem())
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def when_ready(server: Arbiter) -> None:
    """After a stop signal, accept no client that could not be answered."""
    gc.freeze()  # a collector that writes to what is shared would copy it to each worker
    gc.enable()
    refuse_when_stopped(server)


def post_worker_init(worker: Worker) -> None:
    """Load the model before the first request; if it is broken, stop the server instead of restarting workers for ever."""
    service = getattr(worker.wsgi, "extensions", {}).get("slipway")
    if service is not None:
        service.load()
        _prepare(worker, service)
    gc.collect()
    gc.freeze()  # what is loaded stays: to look through it again would hold up every request for 30 ms
    gc.enable()  # if another when_ready did not


def _prepare(worker: Worker, service: "Service") -> None:
    """Tell the worker which calls are quick, and how to refuse those that it has no time for."""
    from slipway.serving.headers import secured
    from slipway.serving.overload import Overload, wording_of
    from slipway.serving.prefix import VARIABLE
    from slipway.serving.refusal import PROTOCOLS
    from slipway.serving.worker import QUICK

    prefix = os.environ.get(VARIABLE, "").rstrip("/")
    serving = service.problem.serving
    others = {
        path: wording_of(endpoint, "application/json", protocol.refused)
        for protocol in worker.wsgi.extensions[PROTOCOLS].values()
        for path, endpoint in protocol.predicting(service).items()
    }
    worker.largest_body = serving.max_upload_bytes
    quick = QUICK | others.keys()
    worker.quick = quick | {prefix + path for path in quick}
    count = service.metrics.count_not_begun
    worker.overload = Overload(service.digest, secured(service.release), count, serving.cors_origins, prefix, others)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Close the worker's file of the prediction log."""
    service = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("slipway")
    if service is not None:
        service.recorder.close()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Keep counting the metrics of a worker that ended, without its gauges; its clients have left."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
    if holdings := getattr(worker, "holdings", None):  # of this worker class alone
        holdings.vacate(worker.age)
