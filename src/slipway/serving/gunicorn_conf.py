"""gunicorn's configuration; ``gunicorn app:app`` finds it through gunicorn.conf.py, `slipway serve` by its name.

Each worker makes its own app and ONNX session after the fork. Threads answer slow clients without holding up others;
numerical libraries get one thread per worker.
"""

import os
import shutil
import tempfile

from slipway.threads import cores, pin_threads

MEMORY = "/dev/shm"
MOST_WORKERS = 4


pin_threads()
_memory = MEMORY if os.access(MEMORY, os.W_OK) else None

bind = f"0.0.0.0:{os.environ['PORT']}" if "PORT" in os.environ else "127.0.0.1:8080"
workers = int(os.environ.get("WEB_CONCURRENCY") or min(max(2, cores()), MOST_WORKERS))
worker_class = "gthread"
threads = 4
backlog = 2048
timeout = 30
graceful_timeout = 20
keepalive = 75  # longer than a proxy keeps idle connections, so that it never reuses one just closed here
limit_request_line = 4094
worker_tmp_dir = _memory
control_socket_disable = True  # it would fail on a read-only root, and can shut the service down
accesslog = None  # slipway.serving.access writes it
loglevel = "warning"


def on_starting(server) -> None:
    """Give the workers' metrics a folder of their own, in memory where there is one."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="slipway-metrics-", dir=_memory)


def child_exit(server, worker) -> None:
    """Let the metrics of a worker that ended count on, without its gauges."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server) -> None:
    """Remove the metrics' folder."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
