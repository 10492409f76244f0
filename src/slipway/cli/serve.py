"""slipway serve"""

import os
from typing import TYPE_CHECKING

import click

from slipway.cli import options

if TYPE_CHECKING:
    from slipway.serving.service import Service


@click.command()
@options.problem
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(1, 65_535), envvar="PORT", default=8080, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=None, help="Processes; default: one per core, 2 to 4.")
def command(path: str | None, host: str, port: int, workers: int | None) -> None:
    """Serve the champion with gunicorn.

    \b
    Example:
      slipway serve
      slipway serve --host 0.0.0.0 --port 80 --workers 4
    """
    if path:
        os.environ["SLIPWAY_PROBLEM"] = path
    from slipway.serving.server import run

    address = f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"
    run(
        host=host,
        port=port,
        workers=workers,
        ready=lambda service: _say(service, address),
    )


def _say(service: "Service", address: str) -> None:
    """Where it is, and a first call with a row of its own."""
    from slipway.serving.examples import example_row
    from slipway.serving.form import FEW_FIELDS
    from slipway.serving.snippets import curl

    click.echo(f"Serving on {address} (Ctrl-C stops it)", err=True)
    if service.recorder.folder:
        click.echo(f"Rows and answers are logged in {service.recorder.folder}, as log: in slipway.yaml says", err=True)
    row = example_row(service.schema)
    if len(row) > FEW_FIELDS:
        click.echo(f"Try it: {address} shows a call with a typical row", err=True)
    else:
        click.echo(f"Try it: {curl(f'{address}/predict', row, service.keys.needed, indent=None)}", err=True)
