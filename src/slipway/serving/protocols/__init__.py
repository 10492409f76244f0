"""Further protocols of the service, each switched on by its name in ``serving.protocols``.

A protocol turns its body into rows, and the answers into its own document; what decodes, answers, counts and logs is the same.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.serving.protocols.protocol import Protocol


def protocols_of(names: Collection[str]) -> "dict[str, Protocol]":
    """Those of the names, by their blueprints; what is not switched on is not imported."""
    found = []
    if "mlflow" in names:
        from slipway.serving.protocols.invocations import MLFLOW

        found.append(MLFLOW)
    if "open-inference" in names:
        from slipway.serving.protocols.open_inference import OPEN_INFERENCE

        found.append(OPEN_INFERENCE)
    return {protocol.blueprint.name: protocol for protocol in found}
