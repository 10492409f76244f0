"""What an ensemble of trees compares each column with, read from its ONNX graph.

ONNX Runtime does not tell it, and the library onnx, which takes a while to load, is there where models are trained. The
numbers of the fields are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; protobuf comes with ONNX Runtime.
"""

from collections import defaultdict
from typing import Any

import numpy as np

GRAPH, NODE, ATTRIBUTE = 7, 1, 5  # of a model, a graph, a node
NAME, TENSOR, FLOATS, INTS, STRINGS = 1, 5, 7, 8, 9  # of an attribute
RAW_DATA = 9  # of a tensor
COMPARES, LEAF = b"BRANCH_LEQ", b"LEAF"


def thresholds_of(graph: bytes) -> list[np.ndarray] | None:
    """Of each column of the matrix the sorted thresholds, where ``x <= threshold`` goes left; None for other comparisons.

    Parameters
    ----------
    graph : bytes
        Of one TreeEnsembleRegressor, with float32 or double thresholds.
    """
    (node,) = _fields(_fields(graph)[GRAPH][0])[NODE]
    attributes = {each[NAME][0]: each for each in map(_fields, _fields(node)[ATTRIBUTE])}
    modes = np.array(attributes[b"nodes_modes"][STRINGS])
    if not np.isin(modes, [COMPARES, LEAF]).all():
        return None
    if b"nodes_values" in attributes:
        bits = np.array(attributes[b"nodes_values"][FLOATS], dtype=np.uint32)
        values: np.ndarray = bits.view(np.float32)
    else:
        tensor = _fields(attributes[b"nodes_values_as_tensor"][TENSOR][0])
        values = np.frombuffer(tensor[RAW_DATA][0], dtype="<f8")
    compares = modes == COMPARES
    columns = np.array(attributes[b"nodes_featureids"][INTS])[compares]
    return [np.unique(values[compares][columns == column]) for column in range(columns.max(initial=-1) + 1)]


def _fields(message: bytes) -> dict[int, list[Any]]:
    """The values of each field of a message: integers, bytes, or the bits of a float."""
    from google.protobuf.empty_pb2 import Empty  # here, because few tables are so large
    from google.protobuf.unknown_fields import UnknownFieldSet

    found: dict[int, list[Any]] = defaultdict(list)
    for each in UnknownFieldSet(Empty.FromString(message)):
        found[each.field_number].append(each.data)
    return found
