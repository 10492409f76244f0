"""slipway promote"""

import click

from slipway.cli import options


@click.command()
@click.argument("digest")
@click.option(
    "--in-git",
    is_flag=True,
    help="Also stage the bundle for the next commit (up to 1 MB, one at a time); a release then needs no store.",
)
@options.problem
def command(digest: str, in_git: bool, path: str | None) -> None:
    """Make the bundle DIGEST (six digits or more) the champion, regardless of the gate.

    \b
    Example:
      slipway promote 4fd1a2c07b9e
      slipway promote 4fd1a2c07b9e --in-git && git commit -m "New champion"
    """
    from slipway.problem import load_problem
    from slipway.store.checkout import Checkout
    from slipway.store.local import open_store

    problem = load_problem(path)
    store = open_store(problem.folder)
    bundle = store.chosen(problem.name, digest)
    if in_git:
        Checkout(store.root).keep(store, bundle)
    store.promote(bundle, "promote", "promoted by hand")
    if in_git:
        Checkout(store.root).stage_pointer(store)
        click.echo(f"{bundle.digest[:12]} is the champion, and staged with its pointer. Run git commit to release it.")
    else:
        click.echo(
            f"{bundle.digest[:12]} is the champion. Commit {store.root.name}/champion.json and verdict.json to release it."
        )
    click.echo("A running service answers with it after a restart or a release.")
