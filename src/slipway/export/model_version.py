"""A bundle as a version of a registered model, on the tracking server that MLFLOW_TRACKING_URI names.

It asks for runs, their artifacts and model versions, which every server since MLflow 2 answers, Azure ML and Databricks among
them; the logged models of MLflow 3 are not everywhere.
"""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slipway.errors import ProblemError, StoreError
from slipway.export.mlflow_model import write_model
from slipway.extras import LIBRARY

if TYPE_CHECKING:
    from mlflow import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
DIGEST, CHAMPION = "slipway.digest", "slipway.champion"  # tags of a version
ALIAS = "champion"
ARTIFACTS = "model"  # their path in the run
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own 7 are minutes
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # its line has the password of an address
    "GIT_PYTHON_REFRESH": "quiet",
}
AGAIN = f"The bundle is unchanged in the store: check {ADDRESS} and the login, and run the same command again"


@dataclass(frozen=True)
class Version:
    """What a version of a registered model says of a bundle.

    Parameters
    ----------
    name : str
        Of the registered model.
    digest : str
    champion : bool
        Whether the pointer names the bundle.
    tags, metrics, params : mapping
        Beside the digest; metrics and params are those of the run that the version came from.
    description : str
    """

    name: str
    digest: str
    champion: bool
    tags: dict[str, str]
    metrics: dict[str, float]
    params: dict[str, str]
    description: str


@dataclass(frozen=True)
class Registered:
    """What came of it: the number of the version, whether it was made now, and why the server set no alias (empty: it did)."""

    number: str
    new: bool
    without_alias: str


def register(version: Version, files: dict[str, bytes], environ: MutableMapping[str, str] = os.environ) -> Registered:
    """Register the files of an MLflow model as a version, unless one of this digest is there.

    Parameters
    ----------
    version : Version
    files : mapping
        As `slipway.export.mlflow_model.model_files` makes them.
    environ : mapping
        MLflow reads it, too.

    Raises
    ------
    ProblemError
        When no server is named, or MLflow is not installed.
    StoreError
        When the server is away, or refuses. The next call starts over.
    """
    address = environ.get(ADDRESS, "")
    if not address:
        raise ProblemError(f"{ADDRESS} is not set", f"Set it to the tracking server: export {ADDRESS}=http://localhost:5000")
    if find_spec(LIBRARY["mlflow"]) is None:
        raise ProblemError("MLflow is not installed", "pip install 'slipway-ml[mlflow]', or pip install mlflow-skinny")
    for name, value in SETTINGS.items():
        environ.setdefault(name, value)
    from mlflow import MlflowClient

    with _told(address):
        client = MlflowClient()
        known = _versions(client, version.name)
        ready = [each for each in known if each.status == "READY"]  # one whose registration broke off is made again
        found = next((each.version for each in ready if each.tags.get(DIGEST) == version.digest), None)
        number = str(found or _new(client, version, files, environ.get(EXPERIMENT) or version.name))
        why = _crowned(client, version.name, number, known) if version.champion else ""
        return Registered(number, found is None, why)


def _versions(client: "MlflowClient", name: str) -> list[Any]:
    """All versions of a registered model, the newest first. Azure ML cannot search by tag, and may leave tags out."""
    from mlflow.exceptions import MlflowException

    found: list[Any] = []
    token = None
    while True:
        try:
            page = client.search_model_versions(f"name='{name}'", max_results=200, page_token=token)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # of the model; MLflow's own server finds nothing instead
                return []
            raise
        found += [each if each.tags else client.get_model_version(name, each.version) for each in page]
        if not (token := page.token):
            return sorted(found, key=lambda each: int(each.version), reverse=True)


def _new(client: "MlflowClient", version: Version, files: dict[str, bytes], experiment: str) -> str:
    """The number of a new version, with a run that holds its files."""
    there = client.get_experiment_by_name(experiment)
    identity = there.experiment_id if there else client.create_experiment(experiment)
    tags = {DIGEST: version.digest, CHAMPION: str(version.champion).lower()} | version.tags
    run = client.create_run(identity, tags=tags, run_name=version.digest[:12]).info
    try:
        for name, value in version.params.items():
            client.log_param(run.run_id, name, value)
        for name, metric in version.metrics.items():
            client.log_metric(run.run_id, name, metric)
        with TemporaryDirectory(prefix="slipway-") as folder:
            write_model(files, Path(folder) / ARTIFACTS)
            client.log_artifacts(run.run_id, str(Path(folder) / ARTIFACTS), ARTIFACTS)
        _require_model(client, version.name)
        source = f"{run.artifact_uri}/{ARTIFACTS}"
        made = client.create_model_version(
            version.name, source, run.run_id, tags=tags, description=version.description or None
        )
    except BaseException:
        with suppress(Exception):  # what went wrong first is what is told
            client.set_terminated(run.run_id, "FAILED")
        raise
    client.set_terminated(run.run_id, "FINISHED")
    return str(made.version)


def _require_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
            raise


def _crowned(client: "MlflowClient", name: str, number: str, known: list[Any]) -> str:
    """Give the version the tag and the alias of the champion, and take the tag from others; why there is no alias."""
    from mlflow.exceptions import MlflowException

    for each in known:
        is_it = str(each.version) == number
        if each.tags.get(CHAMPION, "false") != str(is_it).lower():
            client.set_model_version_tag(name, each.version, CHAMPION, str(is_it).lower())
    try:
        client.set_registered_model_alias(name, ALIAS, number)
    except (MlflowException, NotImplementedError) as error:  # Azure ML has none
        return _line(error)
    return ""


@contextmanager
def _told(address: str) -> Iterator[None]:
    """What MLflow, or the client of an artifact store, raises, as a StoreError without the password of an address."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        says = _line(error)
        netloc = urlsplit(address).netloc
        plain = netloc.rpartition("@")[2]
        says = says.replace(netloc, plain) if netloc else says
        shown = address.replace(netloc, plain) if netloc else address
        raise StoreError(f"{shown}: the model was not registered ({says})", AGAIN) from error


def _line(error: Exception) -> str:
    """The first line of what an error says, if it says anything."""
    return next(iter(str(error).splitlines()), "")[:400] or type(error).__name__
