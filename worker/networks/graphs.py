"""Frozen graphs: a stranger's into ours, and ours into functions and Keras networks. All of it imports TensorFlow.

Ours has one input `pictures`, float32 (N, S, S, 3) RGB 0..255, and one output `features`, float32 (N, F). How pictures
are scaled, and the logarithm of a classifier's probabilities, are part of the graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.networks.screening import screen_graph
from worker.networks.sources import SourceRefused, first_line

INPUT, OUTPUT = "pictures", "features"
SMALLEST = 1e-12  # of a probability, before its logarithm
LARGEST_GRAPH = 2**31 - 1  # bytes; no protocol buffer is larger


@dataclass(frozen=True)
class Opened:
    """What was found in a stranger's file: a function of pictures as it wants them."""

    call: Callable[[Any], Any]  # float32 (N, S, S, 3), scaled -> (N, ...), within a graph
    input_size: int
    batch: int | None  # None: any number at once
    holder: Any = None  # what keeps its variables alive


def read_graph(data: bytes) -> Any:
    """A GraphDef that was looked through. Raises SourceRefused, HostileGraph."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        graph = tf.compat.v1.GraphDef.FromString(data)
    except DecodeError:
        raise SourceRefused("This is not a frozen graph, nor a SavedModel, a .tflite file or an archive.") from None
    if not graph.node:
        raise SourceRefused("There are no operations in this graph.")
    screen_graph(graph)
    return graph


def open_frozen_graph(path: Path, *, input_size: int | None, output: str = "") -> tuple[Opened, str]:
    """(function, name of its input). The input is the one placeholder for pictures; the output `final_result` or the
    one end. Raises SourceRefused, HostileGraph.
    """
    if path.stat().st_size > LARGEST_GRAPH:
        raise SourceRefused("The graph is larger than 2 GB.")
    graph = read_graph(path.read_bytes())
    source = _find_input(graph)
    target = output or _find_output(graph)
    size, batch = _size_of(graph, source)
    found = import_graph(graph, source, target)
    return Opened(found, size or input_size or 224, batch, found), source


def _find_input(graph: Any) -> str:
    """The node that takes pictures. Older graphs decode JPEG files first; what is behind that takes pictures."""
    placeholders = [node.name for node in graph.node if node.op == "Placeholder"]
    names = {node.name for node in graph.node}
    for name in ("input", "Placeholder", "Mul", "pictures", "inputs", "images", "input_1"):
        if name in names:
            return name
    if len(placeholders) == 1:
        return str(placeholders[0])
    shown = ", ".join(placeholders[:5]) or "none"
    raise SourceRefused(f"It has no single input for pictures (placeholders: {shown}).")


def _find_output(graph: Any) -> str:
    names = {node.name for node in graph.node}
    for name in ("final_result", "features", "Identity"):
        if name in names:
            return name
    used = {source.lstrip("^").split(":")[0] for node in graph.node for source in node.input}
    ends = [node.name for node in graph.node if node.name not in used and node.op not in ("Const", "NoOp")]
    if len(ends) != 1:
        shown = ", ".join(ends[:5]) or "none"
        raise SourceRefused(f"It has no single output (ends: {shown}). It should be called final_result.")
    return str(ends[0])


def _size_of(graph: Any, name: str) -> tuple[int | None, int | None]:
    """(pixels, pictures at once) of an input, where its shape says."""
    node = next(node for node in graph.node if node.name == name)
    dims = [dim.size for dim in node.attr["shape"].shape.dim] if "shape" in node.attr else []
    if len(dims) != 4:
        return None, None
    if dims[1] > 0 and dims[1] != dims[2]:
        raise SourceRefused(f"It takes pictures of {dims[2]} x {dims[1]} pixels; only squares can be used.")
    return (dims[1] if dims[1] > 0 else None), (dims[0] if dims[0] > 0 else None)


def import_graph(graph: Any, source: str, target: str) -> Any:
    """A function from one tensor to another, by their names. Raises SourceRefused."""
    import tensorflow as tf

    source, target = (name if ":" in name else f"{name}:0" for name in (source, target))

    def build() -> None:
        tf.graph_util.import_graph_def(graph, name="network")

    try:
        wrapped = tf.compat.v1.wrap_function(build, [])
        return wrapped.prune(f"network/{source}", f"network/{target}")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise SourceRefused(f"TensorFlow cannot use this graph: {first_line(error)}") from None


def freeze(opened: Opened, *, scale: float, offset: float, logarithm: bool) -> bytes:
    """Our form of it. Raises SourceRefused."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = [opened.batch, opened.input_size, opened.input_size, 3]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)], autograph=False)  # type: ignore[untyped-decorator]
    def look(pictures: Any) -> Any:
        found = flatten(opened.call(pictures * scale + offset))
        return tf.identity(tf.math.log(tf.maximum(found, SMALLEST)) if logarithm else found, name=OUTPUT)

    try:
        frozen = convert_variables_to_constants_v2(look.get_concrete_function())
        graph = frozen.graph.as_graph_def()
    except (ValueError, TypeError, KeyError, NotImplementedError, tf.errors.OpError) as error:
        raise SourceRefused(f"Its variables cannot be made constants: {first_line(error)}") from None
    screen_graph(graph)
    return bytes(graph.SerializeToString(deterministic=True))  # the same network has the same digest


def flatten(found: Any) -> Any:
    """(N, F) of what a network gives: (N, h, w, F) is averaged over the places, as a pooling layer does."""
    import tensorflow as tf

    if found.shape.rank == 4:
        found = tf.reduce_mean(found, axis=[1, 2])
    if found.shape.rank != 2 or found.shape[-1] is None:
        raise SourceRefused(f"It gives numbers of the shape {found.shape}, not one row for each picture.")
    return tf.cast(found, tf.float32)


def restore(data: bytes) -> Any:
    """Our form as a function: pictures (N, S, S, 3) 0..255 -> features (N, F). Raises SourceRefused, HostileGraph."""
    return import_graph(read_graph(data), INPUT, OUTPUT)


def build_network(data: bytes, input_size: int, features: int) -> Any:
    """Our form as a keras.Model, whose one layer cannot be trained."""
    import keras
    import tensorflow as tf

    function = restore(data)

    class Network(keras.layers.Layer):  # type: ignore[misc]
        def call(self, pictures: Any) -> Any:
            return tf.ensure_shape(function(pictures), (None, features))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], features)

    pictures = keras.Input((input_size, input_size, 3))
    return keras.Model(pictures, Network(name="network", trainable=False)(pictures))


def convert(data: bytes) -> bytes:
    """The LiteRT form, with LiteRT's own operations alone. Raises what the converter raises."""
    import tensorflow as tf

    function = restore(data)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
    return bytes(converter.convert())
