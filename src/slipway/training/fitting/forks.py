"""Where worker processes come from: forked from a server that has the libraries loaded."""

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

LOADED = "slipway.training.challenger"  # what fits need, and what a fit of a bundle needs besides


def context() -> BaseContext:
    """Of such forks; Windows has no server, and its processes start afresh."""
    if not _has_server():
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([LOADED])
    return made


def warm_up() -> None:
    """Have the server load the libraries while this process loads them, too: each takes seconds of one core.

    It inherits the environment: call `slipway.threads.pin_threads` first.
    """
    if _has_server():
        context()
        forkserver.ensure_running()


def _has_server() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()
