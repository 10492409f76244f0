"""The tracking server that MLFLOW_TRACKING_URI names: how it is called, how long it is waited for, and what is told of it.

It is asked for runs, their artifacts and model versions, which every server since MLflow 2 answers, Azure ML and Databricks
among them; the logged models of MLflow 3 are not everywhere.
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from slipway.errors import ProblemError, SlipwayError, StoreError
from slipway.extras import LIBRARY

if TYPE_CHECKING:
    from mlflow import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
EXPERIMENT, EXPERIMENT_ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"
RUN = "MLFLOW_RUN_ID"  # mlflow run sets it, and the one above, for the program that it starts
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own 7 are minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # of a connection and of an answer, in seconds; MLflow's own is 120
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # its line has the password of an address
    "GIT_PYTHON_REFRESH": "quiet",
}
# Of a call that tells whether somebody is there: one that is not takes 10 seconds in all, also where packets are lost.
BRIEF = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "4"}
LOGIN = re.compile(r"(?<=://)[^\s/]*@")
QUERY = re.compile(r"(/[^\s?'\"]*)\?[^\s'\")]*")  # that of a signed address is as good as a password
LONGEST = 400  # characters of a line
AGAIN = f"The bundle is unchanged in the store: check {ADDRESS} and the login, and run the same command again"


@dataclass(frozen=True)
class Server:
    """A server that answered.

    Parameters
    ----------
    client : mlflow.MlflowClient
    address : str
        Without user and password.
    experiment : str
        Identity of the experiment that new runs go to.
    environ : mapping
    """

    client: "MlflowClient"
    address: str
    experiment: str
    environ: MutableMapping[str, str]


@contextmanager
def connected(experiment: str, environ: MutableMapping[str, str] = os.environ, cure: str = AGAIN) -> Iterator[Server]:
    """The server, while the block runs.

    Parameters
    ----------
    experiment : str
        Name of the experiment where the environment names none; it is made if it is absent.
    environ : mapping
        MLflow reads it, too: what it is told there ends with the block.
    cure : str
        What to do when the server is away, or refuses.

    Raises
    ------
    ProblemError
        When no server is named, or MLflow is not installed.
    StoreError
        When the server is away, or refuses, within the block, too.
    """
    with _calling(environ, cure) as client:
        name = environ.get(EXPERIMENT) or experiment
        with brief(environ):
            there = environ.get(EXPERIMENT_ID) or _found(client, name)
        yield Server(client, without_login(environ[ADDRESS]), there or _made(client, name), environ)


def ping(environ: MutableMapping[str, str] = os.environ) -> str:
    """The address of the server, once it has answered; raises as `connected` does, and changes nothing there."""
    with _calling(environ, f"Check {ADDRESS} and the login") as client, brief(environ):
        client.search_experiments(max_results=1)
    return without_login(environ[ADDRESS])


@contextmanager
def _calling(environ: MutableMapping[str, str], cure: str) -> Iterator["MlflowClient"]:
    require_named(environ)
    own = {name: value for name, value in SETTINGS.items() if name not in environ}
    with _said(environ, own), _quiet(), told(environ[ADDRESS], cure):
        from mlflow import MlflowClient

        yield MlflowClient()


def require_named(environ: Mapping[str, str]) -> None:
    """ProblemError when the environment names no server, or MLflow is not installed; nothing is imported."""
    if not environ.get(ADDRESS):
        raise ProblemError(f"{ADDRESS} is not set", f"Set it to the tracking server: export {ADDRESS}=http://localhost:5000")
    if find_spec(LIBRARY["mlflow"]) is None:
        raise ProblemError("MLflow is not installed", "pip install 'slipway-ml[mlflow]', or pip install mlflow-skinny")


def _found(client: "MlflowClient", name: str) -> str | None:
    there = client.get_experiment_by_name(name)
    return there.experiment_id if there else None


def _made(client: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name))
    except MlflowException:
        if (there := _found(client, name)) is None:  # nobody else has made it meanwhile
            raise
        return there


@contextmanager
def brief(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Little patience within the block, unless the environment itself says how much."""
    with _said(environ, {name: value for name, value in BRIEF.items() if environ[name] == SETTINGS[name]}):
        yield


@contextmanager
def _said(environ: MutableMapping[str, str], settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: environ.get(name) for name in settings}
    environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del environ[name]
            else:
                environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of MLflow and its libraries, such as of each attempt: what matters is told by an error."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def told(address: str, cure: str) -> Iterator[None]:
    """What MLflow, or the client of an artifact store, raises, as a StoreError without the password of an address."""
    try:
        yield
    except SlipwayError:
        raise
    except Exception as error:
        raise StoreError(f"{without_login(address)}: the call to MLflow failed ({line(error, address)})", cure) from error


def without_login(address: str) -> str:
    """An address as it may be shown: without user, password and query."""
    return address.replace(_login(address), "", 1).partition("?")[0]


def _login(address: str) -> str:
    """USER:PASSWORD@ of an address, also of one that is not valid; empty if there is none, and for a file."""
    rest = address.partition("://")[2]
    return "" if rest.startswith("/") else "".join(rest.rpartition("@")[:2])


def line(error: Exception, address: str = "") -> str:
    """The first line of what an error says, if it says anything, without logins and queries of this and of other addresses."""
    says = next(iter(str(error).splitlines()), "").replace(address, without_login(address)).replace(_login(address), "")
    return QUERY.sub(r"\1", LOGIN.sub("", says))[:LONGEST] or type(error).__name__
