"""slipway import"""

import sys
from pathlib import Path

import click

from slipway.cli import options
from slipway.cli.tracking import log_training
from slipway.cli.train import show
from slipway.threads import pin_threads

WARNING = "A pickle can run any program when it is loaded. Load it only if you trust whoever made it."


@click.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", metavar="FILE", help="Table to judge it by, with the target; default: the problem's source.")
@click.option("--trust", is_flag=True, help="Load the file without asking; a pickle can run any program.")
@options.problem
def command(model: Path, data: str | None, trust: bool, path: str | None) -> None:
    """Make a bundle of MODEL, a fitted scikit-learn pipeline that joblib or pickle wrote.

    Its steps and its estimator are exported and have to answer each row as the pipeline itself does. Its training rows are
    unknown, so a clone, fitted without the held-out rows, passes the gate for it.

    \b
    Example:
      slipway import model.joblib
      slipway import model.pkl --data sample.csv --trust
    """
    if not trust:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{WARNING} To load it: --trust")
        click.confirm(f"{WARNING} Load {model}?", abort=True)
    pin_threads()
    from msgspec.structs import replace

    from slipway.problem import load_problem
    from slipway.sources.fetch import fetch
    from slipway.store.local import open_store
    from slipway.training.imported import import_model
    from slipway.training.pickled import read_pickled

    problem = load_problem(path)
    if data:
        problem = replace(problem, source=(data if "://" in data else str(Path(data).resolve()),))
    else:
        fetch(problem, lambda says: click.echo(says, err=True))
    store = open_store(problem.folder)
    outcome = import_model(problem, read_pickled(model, problem.folder), store)
    show(outcome, problem, store)
    log_training(problem, store, outcome.bundle.digest)
