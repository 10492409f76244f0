"""slipway pull"""

import click

from slipway.cli import options
from slipway.cli.progress import Progress


@click.command()
@click.argument("digest", required=False)
@options.problem
def command(digest: str | None, path: str | None) -> None:
    """Fetch the bundle DIGEST (six digits or more; default: the champion) from the remote store.

    It arrives complete and verified, or not at all. A damaged local copy is replaced.

    \b
    Example:
      slipway pull
      slipway pull 4fd1a2c07b9e
    """
    from slipway.model.bundle import DIGEST
    from slipway.problem import load_problem
    from slipway.store.local import open_store
    from slipway.store.remote import open_remote
    from slipway.store.transfer import pull

    problem = load_problem(path)
    store, remote = open_store(problem.folder), open_remote(problem)
    digest = store.require_pointer().digest if digest is None else digest.lower()
    if not DIGEST.fullmatch(digest):
        digest = remote.find(digest)
    with Progress() as progress:
        how = pull(store, remote, digest, progress.file)
    click.echo(f"{digest[:12]} is in {store.root}, {how}.")
