"""Options that several commands share, and what they say."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from slipway.monitoring.partitions import Log
    from slipway.problem import Problem
    from slipway.store.remote import S3Store

problem = click.option(
    "--problem",
    "path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The problem file; default: SLIPWAY_PROBLEM or slipway.yaml.",
)


def log_of(problem: "Problem") -> "Log":
    """The prediction log."""
    from slipway.monitoring import partitions  # late: what a command line imports at its start must be little

    return partitions.log_of(problem)


def remote_of(problem: "Problem") -> "S3Store | None":
    """The remote store, if there is one."""
    from slipway.store.remote import open_remote

    return open_remote(problem) if problem.remote else None
