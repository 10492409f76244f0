"""slipway rollback"""

import click

from slipway.cli import options


@click.command()
@options.problem
def command(path: str | None) -> None:
    """Go back to the previous champion. Run it twice to go back two champions.

    \b
    Example:
      slipway rollback
    """
    from slipway.problem import load_problem
    from slipway.store.local import open_store

    problem = load_problem(path)
    store = open_store(problem.folder)
    bundle = store.bundle(store.previous())
    bundle.require_problem(problem.name)
    store.promote(bundle, "rollback", "rolled back by hand")
    click.echo(
        f"{bundle.digest[:12]} is the champion again. Commit {store.root.name}/champion.json and verdict.json to release it."
    )
    click.echo("A running service answers with it after a restart or a release.")
