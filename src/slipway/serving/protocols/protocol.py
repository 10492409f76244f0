"""What a protocol of the service consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint

if TYPE_CHECKING:
    from slipway.serving.definitions import Document
    from slipway.serving.service import Service


@dataclass(frozen=True)
class Protocol:
    """One protocol besides the service's own.

    Parameters
    ----------
    blueprint : Blueprint
        Its addresses. Those that predict are in `slipway.serving.refusal.PREDICTIONS`.
    paths : callable
        Its part of the specification, by path.
    refused : callable
        A problem document → the error as the protocol words it. Invalid rows are answered with 400 in place of 422.
    predicting : callable
        The paths of a service that predict → their endpoints in the metrics.
    """

    blueprint: Blueprint
    paths: "Callable[[Service], Document]"
    refused: Callable[[dict[str, Any]], dict[str, Any]]
    predicting: "Callable[[Service], dict[str, str]]"


def wrong_cell(error: Mapping[str, Any]) -> str:
    """One of the errors of a problem document, in a line: row, field and what is wrong."""
    places = [None if error["row"] is None else f"row {error['row']}", error["field"], error["detail"]]
    return ": ".join(place for place in places if place is not None)
