"""slipway promote"""

import click

from slipway.cli import options


@click.command()
@click.argument("digest")
@options.problem
def command(digest: str, path: str | None) -> None:
    """Make the bundle DIGEST (six digits or more) the champion, whatever the gate said.

    \b
    Example:
      slipway promote 4fd1a2c07b9e
    """
    from slipway.problem import load_problem
    from slipway.store import open_store

    problem = load_problem(path)
    store = open_store(problem.store, problem.folder)
    bundle = store.bundle(store.find(digest.lower()))
    store.promote(bundle, "promote", "promoted by hand")
    click.echo(f"{bundle.digest[:12]} is the champion. Commit {store.root.name}/champion.json to release it.")
