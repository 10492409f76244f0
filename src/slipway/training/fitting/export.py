"""Weights and trees → ONNX graphs that answer raw scores; each candidate says what its fitted estimator's are.

A graph holds the trees or the linear part alone: encoding before it and link after it are NumPy in double precision
(slipway.model.encoding, slipway.model.runner), because whole pipelines exported in float32 move values across thresholds.

Two measures keep a tree graph exact although ONNX Runtime's operator computes in float32:

- Models are trained on values rounded to float32, and each threshold is rounded *down* to float32: for such values
  ``x <= threshold`` then means the same.
- Each leaf is split into a coarse part, a multiple of a power of two so large that sums over all trees are exact
  in float32, and the small rest. The predictor adds the two sums in double precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from slipway.model.contents import Link
from slipway.model.runner import INPUT, OUTPUT

IR_VERSION = 9
OPSETS = (helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3))
MANTISSA_BITS = 23


@dataclass(frozen=True)
class Graph:
    """A model as the predictor runs it.

    Parameters
    ----------
    onnx : bytes
    link : str
        A key of `slipway.model.runner.LINKS`.
    base : list of float
        Added to the raw scores, one per score.
    """

    onnx: bytes
    link: Link
    base: list[float]


@dataclass(frozen=True)
class Tree:
    """One tree as arrays over its nodes.

    Parameters
    ----------
    feature, left, right : ndarray of int
    threshold : ndarray of float64
        ``x <= threshold`` goes left.
    missing_left : ndarray of bool
    leaf : ndarray of bool
    value : ndarray of shape (nodes, scores), float64
        What a leaf adds to each score.
    """

    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    leaf: np.ndarray
    value: np.ndarray


def linear_graph(weights: np.ndarray) -> bytes:
    """ONNX bytes of rows × weights in double precision; `weights` has shape (features, scores)."""
    initializer = onnx.numpy_helper.from_array(np.ascontiguousarray(weights, dtype=np.float64), "weights")
    node = helper.make_node("MatMul", [INPUT, "weights"], [OUTPUT])
    return _serialize(node, [initializer], TensorProto.DOUBLE, *weights.shape)


def tree_graph(trees: Sequence[Tree], features: int, double: bool = False) -> bytes:
    """ONNX bytes of an ensemble; the coarse part of each score comes first, then the rest of each.

    Parameters
    ----------
    trees : sequence of Tree
    features : int
        Columns of the matrix.
    double : bool
        Whether the matrix and the thresholds are in double precision, for trees that grew on such values.
    """
    coarse, rest = _split_leaves(trees)
    sizes = [len(tree.leaf) for tree in trees]
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    leaf = _joined(trees, "leaf")
    scores = trees[0].value.shape[1]
    weights = np.hstack([coarse, rest])
    used = leaf[:, None] & (weights != 0)
    used[leaf & ~used.any(axis=1), 0] = True  # a leaf needs an entry, be it zero
    nodes, targets = np.nonzero(used)
    missing = _joined(trees, "missing_left") & ~leaf
    node = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        [OUTPUT],
        domain="ai.onnx.ml",
        n_targets=2 * scores,
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=np.where(leaf, 0, _joined(trees, "feature")).tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_truenodeids=np.where(leaf, 0, _joined(trees, "left")).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, _joined(trees, "right")).tolist(),
        nodes_missing_value_tracks_true=missing.astype(int).tolist(),
        target_treeids=tree_ids[nodes].tolist(),
        target_nodeids=node_ids[nodes].tolist(),
        target_ids=targets.tolist(),
        **_numbers(np.where(leaf, 0, _joined(trees, "threshold")), weights[nodes, targets], double),
    )
    return _serialize(node, [], TensorProto.DOUBLE if double else TensorProto.FLOAT, features, 2 * scores)


def _numbers(thresholds: np.ndarray, weights: np.ndarray, double: bool) -> dict[str, Any]:
    """Thresholds and leaves as attributes of the operator."""
    if not double:
        return {"nodes_values": _rounded_down(thresholds).tolist(), "target_weights": weights.tolist()}
    tensors = {"nodes_values_as_tensor": thresholds, "target_weights_as_tensor": weights}
    return {name: onnx.numpy_helper.from_array(values.astype(np.float64), name) for name, values in tensors.items()}


def _joined(trees: Sequence[Tree], name: str) -> np.ndarray:
    return np.concatenate([getattr(tree, name) for tree in trees])


def _split_leaves(trees: Sequence[Tree]) -> tuple[np.ndarray, np.ndarray]:
    """Leaf values as (coarse, rest), each of shape (nodes of all trees, scores)."""
    values = np.concatenate([np.where(tree.leaf[:, None], tree.value, 0) for tree in trees])
    largest = sum(np.abs(np.where(tree.leaf[:, None], tree.value, 0)).max(axis=0) for tree in trees)
    exponent = np.ceil(np.log2(np.where(largest > 0, largest, 1))) - MANTISSA_BITS
    grid = np.exp2(exponent)
    coarse = np.round(values / grid) * grid
    return coarse, values - coarse


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _serialize(node: onnx.NodeProto, initializers: list[TensorProto], kind: int, features: int, outputs: int) -> bytes:
    answered = kind if node.op_type == "MatMul" else TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "slipway",  # a graph without a name gets a random one, and the digest would differ
        [helper.make_tensor_value_info(INPUT, kind, [None, features])],
        [helper.make_tensor_value_info(OUTPUT, answered, [None, outputs])],
        initializers,
    )
    model = helper.make_model(graph, producer_name="slipway", opset_imports=OPSETS, ir_version=IR_VERSION)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
