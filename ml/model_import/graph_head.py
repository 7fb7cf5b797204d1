"""See in a graph what its first steps do to pixels, and whether it is a network of Teachable Machine.

Import TensorFlow.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.frozen_graphs import INPUT
from ml.model_import.ranges import range_before

_PASS = ("Identity", "Cast", "StopGradient", "Snapshot", "EnsureShape", "CheckNumerics")
_STEPS = ("Mul", "Add", "AddV2", "Sub", "RealDiv", "Div")


def told_by_head(graph: Any) -> str:
    """Return the range that a graph in our form expects as its first steps show, such as a `Rescaling` layer, or ""."""
    scale, offset, steps = 1.0, 0.0, []
    for kind, value, is_first in _steps_of(graph):
        if kind == "Mul":
            scale, offset = scale * value, offset * value
        elif kind in ("RealDiv", "Div") and is_first and value:
            scale, offset = scale / value, offset / value
        elif kind in ("Add", "AddV2"):
            offset += value
        elif kind == "Sub" and is_first:
            offset -= value
        else:
            break
        steps.append((scale, offset))
    return range_before(steps)


def _steps_of(graph: Any) -> Iterator[tuple[str, float, bool]]:
    """Yield (operation, its constant, whether the pixels are its first operand) as long as nothing else is done."""
    at = INPUT
    while True:
        following = [node for node in graph.node if at in map(_name_of, node.input)]
        if len(following) != 1:
            return
        (node,) = following
        if node.op in _STEPS:
            is_first = _name_of(node.input[0]) == at
            value = _constant(graph, node.input[1 if is_first else 0])
            if value is None:
                return
            yield node.op, float(np.mean(value)), is_first
        elif node.op not in _PASS:
            return
        at = node.name


def _name_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _constant(graph: Any, tensor: str) -> "NDArray[Any] | None":
    """Return the value of a tensor that does not depend on the pictures, or None."""
    import tensorflow as tf

    node = next((node for node in graph.node if node.name == _name_of(tensor)), None)
    if node is not None and node.op == "Const":
        return np.asarray(tf.make_ndarray(node.attr["value"].tensor))
    name = tensor if ":" in tensor else f"{tensor}:0"
    try:
        part = tf.compat.v1.graph_util.extract_sub_graph(graph, [_name_of(tensor)])
        if any(node.op == "Placeholder" for node in part.node):
            return None
        wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(part, name="part"), [])
        return np.asarray(wrapped.prune([], f"part/{name}")().numpy())
    except (ValueError, TypeError, KeyError, AssertionError, tf.errors.OpError):
        return None


def is_teachable(graph: Any) -> bool:
    """Return whether a graph in our form is a network of Teachable Machine (see `is_teachable_machine`)."""
    nodes = {node.name: node for node in graph.node}
    dense = [nodes.get(_name_of(node.input[1])) for node in graph.node if node.op == "MatMul"]
    depthwise = sum(node.op == "DepthwiseConv2dNative" for node in graph.node)
    return is_teachable_machine(depthwise, [_shape_of(node, nodes) for node in dense])


def _shape_of(node: Any, nodes: dict[str, Any]) -> tuple[int, ...]:
    while node is not None and node.op in _PASS:
        node = nodes.get(_name_of(node.input[0]))
    if node is None or node.op != "Const":
        return ()
    return tuple(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim)


def is_teachable_machine(depthwise: int, dense: list[tuple[int, ...]]) -> bool:
    """Tell by the layers that Teachable Machine puts together.

    They are a MobileNetV2, with 17 depthwise convolutions and 1,280 features, then a layer of 100 and the answer
    (https://github.com/googlecreativelab/teachablemachine-community, libraries/image).

    Args:
        depthwise: how many depthwise convolutions there are.
        dense: the shapes of the dense layers' weights (inputs, outputs), in their order.
    """
    return depthwise == 17 and len(dense) == 2 and dense[0] == (1280, 100) and dense[1][:1] == (100,)
