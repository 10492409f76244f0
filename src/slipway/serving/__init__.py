"""The service: one bundle behind HTTP. Import this before anything that computes."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from slipway.problem import Problem

# Read by OpenMP and OpenBLAS when they load: a worker computes in one thread, for more of them only fight over the cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def create_app(problem: "Problem | None" = None) -> "Flask":
    """The WSGI application that serves the champion of `problem`.

    Parameters
    ----------
    problem : Problem, optional
        By default what ``SLIPWAY_PROBLEM`` or ./slipway.yaml describes.

    Raises
    ------
    SlipwayError
        When there is no champion, or its bundle is damaged.
    """
    from slipway.serving.factory import build

    return build(problem)
