"""slipway monitor"""

import webbrowser

import click

from slipway.cli import options


@click.command()
@options.problem
@click.option("--no-browser", is_flag=True, help="Only say where the page is.")
def command(path: str | None, no_browser: bool) -> None:
    """Open the page of the last slipway watch in the browser.

    With a remote store, the page of the last slipway watch on any machine.

    \b
    Example:
      slipway monitor
    """
    from slipway.errors import StoreError
    from slipway.model.last_look import PAGE
    from slipway.monitoring.publication import fetch
    from slipway.problem import load_problem

    problem = load_problem(path)
    log = options.log_of(problem)
    page = log.root / PAGE
    try:
        if remote := options.remote_of(problem):
            fetch(log, remote)
    except StoreError as error:
        if not page.is_file():
            raise
        click.echo(f"slipway: {error}. This is the page of this machine's last run", err=True)
    if not page.is_file():
        raise StoreError(f"{page}: there is no page yet", "Run slipway watch")
    click.echo(page)
    if not no_browser:
        webbrowser.open(page.resolve().as_uri())
