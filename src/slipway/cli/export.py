"""slipway export"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import options

if TYPE_CHECKING:
    from slipway.export.model_version import Version
    from slipway.model.bundle import Bundle
    from slipway.problem import Problem


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
    bundle = store.bundle(store.find(digest.lower())) if digest else store.champion()
    bundle.require_problem(problem.name)
    files = model_files(bundle, problem)
    if folder is not None:
        write_model(files, folder)
        click.echo(f"{bundle.digest[:12]} is in {folder}: mlflow models serve --env-manager local -m {folder}")
    if name is not None:
        _register(_version(name, problem, bundle), files)


def _register(version: "Version", files: dict[str, bytes]) -> None:
    from slipway.export.model_version import ALIAS, register

    done = register(version, files)
    before = "" if done.new else " already"
    click.echo(f"{version.name} version {done.number} is bundle {version.digest[:12]}{before}")
    if done.without_alias:
        says = f"The server set no alias ({done.without_alias}); the tag slipway.{ALIAS} of the version tells the same"
        click.echo(says, err=True)


def _version(name: str, problem: "Problem", bundle: "Bundle") -> "Version":
    from slipway.export.model_version import Version
    from slipway.model.contents import metrics_of, model_of
    from slipway.store.checkout import Checkout
    from slipway.store.local import open_store
    from slipway.store.verdicts import verdict_on

    store, measured = open_store(problem.folder), metrics_of(bundle)
    pointer, verdict = store.pointer(), verdict_on(store.verdicts(), bundle.digest)
    tags = {
        "slipway.problem": bundle.problem,
        "slipway.metric": measured.metric,
        "slipway.commit": (Checkout(problem.folder).git("rev-parse", "HEAD") or "").strip(),
        "slipway.verdict": verdict.get("outcome", ""),
        "slipway.judged": verdict.get("at", ""),
    }
    return Version(
        name=name,
        digest=bundle.digest,
        champion=pointer is not None and pointer.digest == bundle.digest,
        tags={key: value for key, value in tags.items() if value},
        metrics={metric: estimate.value for metric, estimate in measured.holdout.metrics.items()},
        params={"candidates": ", ".join(member.candidate for member in model_of(bundle).members)},
        description="; ".join(verdict.get("reasons", ())),
    )
