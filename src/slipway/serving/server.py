"""gunicorn in this process: what `slipway serve` and `python app.py` run."""

import socket
import sys

from slipway.errors import ServingError
from slipway.problem import Problem, load_problem
from slipway.serving.service import Service

CONFIGURATION = "python:slipway.serving.gunicorn_conf"


def run(
    application: str = "slipway.serving:create_app()", host: str | None = None, port: int | None = None,
    workers: int | None = None,
) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    application : str
        As gunicorn names it.
    host, port, workers
        By default what slipway.serving.gunicorn_conf says.

    Raises
    ------
    ServingError
        When there is nothing to serve, or the port is taken; said before any worker starts.
    """
    from gunicorn.app.wsgiapp import WSGIApplication

    require_champion(load_problem())
    arguments = ["gunicorn", "--config", CONFIGURATION]
    if host is not None and port is not None:
        _require_free(host, port)
        arguments += ["--bind", f"{host}:{port}"]
    if workers is not None:
        arguments += ["--workers", str(workers)]
    sys.argv = [*arguments, application]
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn").run()


def require_champion(problem: Problem) -> None:
    """ServingError unless there is a champion that answers as it should; workers would only fail one by one."""
    Service(problem).require_ready()


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServingError(
                f"{host}:{port} cannot be served on ({error.strerror})", "Choose another: slipway serve --port 8081"
            ) from error
