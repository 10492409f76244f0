"""slipway serve"""

import os

import click

from slipway.cli import options


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
        ready=lambda: click.echo(f"Serving on {address} (Ctrl-C stops it)", err=True),
    )
