"""Options that several commands share, and what they say."""

import os
from pathlib import Path
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
    """The prediction log: the folder ``log`` beside slipway.yaml, unless SLIPWAY_LOG names another."""
    from slipway.model.event import FOLDER, VARIABLE
    from slipway.monitoring.partitions import Log

    return Log(Path(os.environ.get(VARIABLE) or problem.folder / FOLDER))


def remote_of(problem: "Problem") -> "S3Store | None":
    """The remote store, if there is one."""
    from slipway.store.remote import open_remote

    return open_remote(problem) if problem.remote else None
