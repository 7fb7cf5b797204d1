"""Convert a stranger's frozen graph to our form (see `ml.backbones.frozen_graphs`). All of it imports TensorFlow.

The scaling of pictures, and the logarithm of a classifier's probabilities, become part of the graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.backbones.frozen_graphs import INPUT, OUTPUT, import_graph, is_made_here, read_graph
from ml.errors import ImportRefused, first_line
from ml.images.rendering import Framing
from ml.sandbox.screening import screen_graph

SMALLEST = 1e-12  # of a probability, before its logarithm
GUESSED_SIZE = 224  # pixels, of a graph that does not say how large its pictures are
MAX_GRAPH_BYTES = 2**31 - 1  # bytes; no protocol buffer is larger


@dataclass(frozen=True)
class Opened:
    """A network found in a stranger's file.

    Attributes:
        call: float32 pictures (N, S, S, 3), scaled as the network expects -> (N, ...), within a graph.
        input_size: width and height of the pictures in pixels (S).
        batch: the number of pictures it takes at once, or None for any.
        holder: an object that keeps its variables alive.
        framing: how its pictures are made square.
        size_told: whether the file says how large they are; otherwise the size was given, or is a guess.
    """

    call: Callable[[Any], Any]
    input_size: int
    batch: int | None
    holder: Any = None
    framing: Framing = Framing.WHOLE
    size_told: bool = True


def open_frozen_graph(path: Path, *, input_size: int | None, output: str = "") -> tuple[Opened, str]:
    """Return the graph as a function, and the name of its input.

    The input is the only placeholder for pictures, or one with a usual name; the output is `output`, one with a usual
    name such as `final_result`, or the only end. Raise `ImportRefused` if they are not clear, `HostileGraph` if the
    graph is not harmless.
    """
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise ImportRefused("The graph is larger than 2 GB.")
    data = path.read_bytes()
    graph = read_graph(data)
    source = _find_input(graph)
    target = output or _find_output(graph)
    size, batch = _size_of(graph, source)
    found = import_graph(graph, source, target)
    framing = Framing.WHOLE if is_made_here(data) else Framing.UNSMOOTHED
    opened = Opened(found, size or input_size or GUESSED_SIZE, batch, found, framing, bool(size or input_size))
    return opened, source


def open_own_graph(path: Path, input_size: int) -> Opened:
    """Return a graph in our form as a function, to be frozen again with another range. Raise as the above does."""
    graph = read_graph(path.read_bytes())
    found = import_graph(graph, INPUT, OUTPUT)
    return Opened(found, input_size, _size_of(graph, INPUT)[1], found)


def _find_input(graph: Any) -> str:
    """Return the name of the node that takes pictures.

    Older graphs decode JPEG files first; the node after that takes pictures.
    """
    placeholders = [node.name for node in graph.node if node.op == "Placeholder"]
    names = {node.name for node in graph.node}
    for name in ("input", "Placeholder", "Mul", "pictures", "inputs", "images", "input_1"):
        if name in names:
            return name
    if len(placeholders) == 1:
        return str(placeholders[0])
    shown = ", ".join(placeholders[:5]) or "none"
    raise ImportRefused(f"It has no single input for pictures (placeholders: {shown}).")


def _find_output(graph: Any) -> str:
    names = {node.name for node in graph.node}
    for name in ("final_result", "features", "Identity"):
        if name in names:
            return name
    used = {source.lstrip("^").split(":")[0] for node in graph.node for source in node.input}
    ends = [node.name for node in graph.node if node.name not in used and node.op not in ("Const", "NoOp")]
    if len(ends) != 1:
        shown = ", ".join(ends[:5]) or "none"
        raise ImportRefused(f"It has no single output (ends: {shown}). It should be called final_result.")
    return str(ends[0])


def _size_of(graph: Any, name: str) -> tuple[int | None, int | None]:
    """Return (pixels, pictures at once) of an input as far as its shape says."""
    node = next(node for node in graph.node if node.name == name)
    dims = [dim.size for dim in node.attr["shape"].shape.dim] if "shape" in node.attr else []
    if len(dims) != 4:
        return None, None
    if dims[1] > 0 and dims[1] != dims[2]:
        raise ImportRefused(f"It takes pictures of {dims[2]} x {dims[1]} pixels; only square pictures can be used.")
    return (dims[1] if dims[1] > 0 else None), (dims[0] if dims[0] > 0 else None)


def freeze(opened: Opened, *, scale: float, offset: float, logarithm: bool, one_output: bool = False) -> bytes:
    """Return the network in our form, serialised.

    With `one_output` its only score becomes those of two classes: p becomes (1 - p, p), a logit z becomes (0, z).

    Raise `ImportRefused` if its variables cannot be made constants, `HostileGraph` if it is not harmless.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = [opened.batch, opened.input_size, opened.input_size, 3]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)], autograph=False)  # type: ignore[untyped-decorator]
    def look(pictures: Any) -> Any:
        found = flatten(opened.call(pictures * scale + offset))
        if one_output:
            found = tf.concat([1 - found if logarithm else tf.zeros_like(found), found], axis=1)
        return tf.identity(tf.math.log(tf.maximum(found, SMALLEST)) if logarithm else found, name=OUTPUT)

    try:
        frozen = convert_variables_to_constants_v2(look.get_concrete_function())
        graph = frozen.graph.as_graph_def()
    except (ValueError, TypeError, KeyError, NotImplementedError, tf.errors.OpError) as error:
        raise ImportRefused(f"Its variables cannot be turned into constants: {first_line(error)}") from None
    screen_graph(graph)
    return bytes(graph.SerializeToString(deterministic=True))  # the same network has the same digest


def flatten(found: Any) -> Any:
    """Return a network's output as float32 (N, F); average (N, h, w, F) over the positions, as a pooling layer does."""
    import tensorflow as tf

    if found.shape.rank == 4:
        found = tf.reduce_mean(found, axis=[1, 2])
    if found.shape.rank != 2 or found.shape[-1] is None:
        raise ImportRefused(f"Its output has the shape {found.shape}, not one row for each picture.")
    return tf.cast(found, tf.float32)
