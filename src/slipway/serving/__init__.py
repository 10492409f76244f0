"""The service: one bundle behind HTTP. Import this before anything that computes."""

from typing import TYPE_CHECKING

from slipway.threads import pin_threads

if TYPE_CHECKING:
    from flask import Flask

    from slipway.problem import Problem

pin_threads()


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
