"""gunicorn in this process: what `slipway serve` and `python app.py` run."""

import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from slipway.errors import ServingError
from slipway.problem import load_problem

if TYPE_CHECKING:
    from slipway.serving.service import Service

CONFIGURATION = "python:slipway.serving.gunicorn_conf"


def run(
    application: str = "slipway.serving:create_app()",
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    ready: Callable[["Service"], None] | None = None,
) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    application : str
        As gunicorn names it.
    host, port, workers
        By default what slipway.serving.gunicorn_conf says.
    ready : callable, optional
        Called with what is served, once the port is ours.

    Raises
    ------
    SlipwayError
        When there is nothing to serve, or the port is taken; said before any worker starts.
    """
    from gunicorn.app.wsgiapp import WSGIApplication

    from slipway.serving import gunicorn_conf
    from slipway.serving.factory import checked

    service = checked(load_problem())  # workers would only fail one by one
    usual_host, _, usual_port = gunicorn_conf.bind.rpartition(":")
    listener = _listen(host or usual_host, int(usual_port) if port is None else port)
    arguments = ["gunicorn", "--config", CONFIGURATION, "--bind", f"fd://{listener.detach()}"]
    if workers is not None:
        arguments += ["--workers", str(workers)]
    sys.argv = [*arguments, application]
    if ready is not None:
        ready(service)
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn").run()


def _listen(host: str, port: int) -> socket.socket:
    """The bound socket: gunicorn itself would retry a used port for five seconds, with an unclear message."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise ServingError(
            f"cannot listen on {host}:{port} ({reason})",
            f"Choose another port: slipway serve --port {port + 1}, or make up PORT={port + 1}",
        ) from error
