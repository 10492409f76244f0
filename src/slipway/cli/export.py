"""slipway export"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import options

if TYPE_CHECKING:
    from slipway.problem import Problem
    from slipway.store.local import LocalStore


@click.group()
def command() -> None:
    """Write the champion in the format of another tool.

    \b
    Example:
      slipway export mlflow build/model
    """


@command.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--bundle", "digest", metavar="DIGEST", help="Bundle, six digits or more; default: the champion.")
@click.option("--register", "name", metavar="NAME", help="Register it as a version of this model at MLFLOW_TRACKING_URI.")
@options.problem
def mlflow(folder: Path | None, digest: str | None, name: str | None, path: str | None) -> None:
    """Write the champion to FOLDER as a model of MLflow, and register it.

    The model loads by code, not by a pickle, and needs no installed Slipway. A digest is registered once; the alias
    champion goes to the version that champion.json names.

    \b
    Example:
      slipway export mlflow build/model
      slipway export mlflow --register insurance
    """
    if folder is None and name is None:
        raise click.UsageError("Name a FOLDER to write to, or a model with --register")
    from slipway.export.mlflow_model import model_files, write_model
    from slipway.problem import load_problem
    from slipway.store.local import open_store

    problem = load_problem(path)
    store = open_store(problem.folder)
    bundle = store.chosen(problem.name, digest or None)
    if bundle.damage:
        raise bundle.damage
    if folder is not None:
        write_model(model_files(bundle, problem), folder)
        click.echo(f"{bundle.digest[:12]} is in {folder}: mlflow models serve --env-manager local -m {folder}")
    if name is not None:
        _register(name, problem, store, bundle.digest)


def _register(name: str, problem: "Problem", store: "LocalStore", digest: str) -> None:
    from slipway.cli.tracking import commit_of, of_bundle, side_branch, tell_rest
    from slipway.export.run_log import log_trainings
    from slipway.export.tracking_server import connected
    from slipway.export.training_run import COMMIT, Training

    branch = side_branch(problem)
    with connected(problem.name) as server:
        training = Training(digest, of_bundle(store, digest), tags={COMMIT: commit_of(problem)})
        done = log_trainings(server, problem, store, [training], name, crowns=not branch)
    click.echo(f"{name} version {done.number} is bundle {digest[:12]}{'' if done.new else ' already'}")
    tell_rest(done, branch)
