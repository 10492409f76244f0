"""Options that several commands share."""

import click

problem = click.option(
    "--problem",
    "path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The problem file; default: SLIPWAY_PROBLEM or slipway.yaml.",
)
