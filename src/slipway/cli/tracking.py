"""What commands log in MLflow; where no server is named, nothing of it is imported."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from slipway.export.run_log import Logged
    from slipway.problem import Problem
    from slipway.store.local import LocalStore

ADDRESS = "MLFLOW_TRACKING_URI"
STORED = "The training is in the store; slipway push logs it later"
LATER = f"{STORED}. Check {ADDRESS} and the login"
NAMED = 3  # bundles in a line


def is_asked() -> bool:
    """Whether a server is named."""
    return bool(os.environ.get(ADDRESS))


def log_training(problem: "Problem", store: "LocalStore", digest: str) -> None:
    """Log the training that has just ended; whatever goes wrong, Ctrl-C too, is told in a line, and changes nothing."""
    if not is_asked():
        return
    from slipway.errors import SlipwayError
    from slipway.export.run_log import log_trainings
    from slipway.export.tracking_server import connected
    from slipway.export.training_run import Training, asked

    try:
        with connected(problem.name, cure=LATER) as server:
            *earlier, said = [each for each in _trainings(store.journal.entries(), problem.name) if each["digest"] == digest]
            trainings = [Training(digest, each) for each in earlier if each["outcome"] == "promoted"]  # why it is the champion
            trainings.append(Training(digest, said, True, _circumstances(problem), asked(problem)))
            branch = side_branch(problem)
            done = log_trainings(server, problem, store, trainings, crowns=not branch)
            where = f"run {done.runs[-1]} in {server.address}" if done.runs else f"logged already in {server.address}"
        click.echo(f"MLflow:  {where}, version {done.number} of {problem.name}")
        tell_rest(done, branch)
    except SlipwayError as error:
        click.echo(f"slipway: {error}", err=True)
    except KeyboardInterrupt:
        click.echo(f"slipway: interrupted, MLflow lacks this training. {STORED}", err=True)


def commit_of(problem: "Problem") -> str:
    """The commit that is checked out; empty outside a repository."""
    from slipway.store.checkout import Checkout

    return (Checkout(problem.folder).git("rev-parse", "HEAD") or "").strip()


def side_branch(problem: "Problem") -> str:
    """The branch whose champion is not yet the team's, so that the alias stays; empty on the default branch."""
    from slipway.store.checkout import Checkout

    return Checkout(problem.folder).side_branch()


def _circumstances(problem: "Problem") -> dict[str, str]:
    """What no bundle knows of its training, as tags."""
    from slipway.export.training_run import COMMIT

    commit = commit_of(problem)
    return {
        COMMIT: commit,
        "slipway.why": os.environ.get("SLIPWAY_WHY", ""),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": f"slipway {click.get_current_context().info_name}",
        "mlflow.source.git.commit": commit,
    }


def catch_up(problem: "Problem", store: "LocalStore", entries: Iterable[Mapping[str, Any]]) -> None:
    """Log the trainings of the journal, and the champion, as far as they are not there yet; StoreError if that fails."""
    from slipway.export.run_log import log_trainings
    from slipway.export.tracking_server import connected
    from slipway.export.training_run import Training
    from slipway.report.numbers import counted

    trainings = [Training(each["digest"], each) for each in _trainings(entries, problem.name)]
    pointer = store.pointer()
    if pointer and pointer.digest not in {each.digest for each in trainings}:
        trainings.append(Training(pointer.digest, of_bundle(store, pointer.digest)))
    branch = side_branch(problem)
    with connected(problem.name) as server:
        done = log_trainings(server, problem, store, trainings, crowns=not branch)
        where = server.address
    click.echo(f"MLflow: {counted(len(done.runs), 'new run')} in {where}.")
    if absent := list(dict.fromkeys(done.absent)):
        which = ", ".join(digest[:12] for digest in absent[:NAMED]) + (", …" if len(absent) > NAMED else "")
        says = f"{counted(len(absent), 'bundle')} absent or damaged in {store.bundles} ({which})"
        click.echo(f"Not logged: {says}", err=True)
    tell_rest(done, branch)


def of_bundle(store: "LocalStore", digest: str) -> Mapping[str, Any]:
    """What the gate said of a bundle last, as the journal has it, or else verdict.json; empty when neither has it."""
    known = [*store.verdicts(), *store.journal.entries()]
    said = [each for each in known if each.get("event") == "verdict" and each.get("digest") == digest]
    return said[-1] if said else {}


def tell_rest(done: "Logged", branch: str) -> None:
    """Say which runs were doubled and are gone, and that the alias was left where it is, or the server has none."""
    for each in done.doubles:
        click.echo(f"Another process logged the same training at the same moment: a second run, {each}, was deleted", err=True)
    if branch:
        click.echo(f"The alias champion stays where it is: {branch} is not the default branch", err=True)
    if done.without_alias:
        says = f"The server set no alias ({done.without_alias}); the tag slipway.champion of the version tells the same"
        click.echo(says, err=True)


def _trainings(entries: Iterable[Mapping[str, Any]], problem: str) -> list[Mapping[str, Any]]:
    return [each for each in entries if each.get("event") == "verdict" and each.get("problem") == problem]
