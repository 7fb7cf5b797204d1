"""Store backbones as frozen TensorFlow graphs, from which the graph of a classifier can be assembled in a moment.

Input `pictures`, float32 (N, S, S, 3) RGB 0..255; output `features`, float32 (N, F). All functions but `graph_path`
and `is_made_here` import TensorFlow.
"""

from pathlib import Path
from typing import Any

from ml.backbones.backbone import Backbone
from ml.backbones.spec import GRAPH, custom_backbone_dir
from ml.errors import ImportRefused, first_line
from ml.files import write_atomically
from ml.sandbox.screening import screen_graph

INPUT, OUTPUT = "pictures", "features"
SCOPE = "backbone"  # of the operations, once the graph is imported


def ensure_graph(backbone: Backbone, folder: Path | None = None) -> Any:
    """Return the backbone's GraphDef, making its file in `folder` first if it is missing.

    Raise `ValueError` for a network that was added as a .tflite file, and whatever `build_network` raises.
    """
    import tensorflow as tf

    if backbone.spec is not None and backbone.spec.file == GRAPH:
        path = custom_backbone_dir(backbone.name, backbone.machine) / GRAPH
        return tf.compat.v1.GraphDef.FromString(path.read_bytes())
    path = graph_path(backbone, folder or backbone.machine.backbones_dir)
    if not path.is_file():
        write_graph(backbone.build_network(), path)
    return tf.compat.v1.GraphDef.FromString(path.read_bytes())


def graph_path(backbone: Backbone, folder: Path) -> Path:
    """Return where the backbone's graph is in `folder`, once it has been made.

    Raise `WeightsMissing` as `digest` does.
    """
    return folder / f"{backbone.name}-{backbone.digest[:16]}.pb"


def write_graph(network: Any, path: Path) -> None:
    """Write a keras.Model as a frozen graph, completely or not at all."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec([None, *network.input_shape[1:]], tf.float32, name=INPUT)

    @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
    def look(pictures: Any) -> Any:
        return tf.identity(network(pictures, training=False), name=OUTPUT)

    frozen = convert_variables_to_constants_v2(look.get_concrete_function())
    write_atomically(path, frozen.graph.as_graph_def().SerializeToString(deterministic=True))


def is_made_here(graph: bytes) -> bool:
    """Return whether a serialised classifier contains one of our backbones, which see pictures smoothed."""
    return f"{SCOPE}/{OUTPUT}".encode() in graph


def read_graph(data: bytes) -> Any:
    """Parse a GraphDef and screen it. Raise `ImportRefused` if it is no graph, `HostileGraph` if it is not harmless."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        graph = tf.compat.v1.GraphDef.FromString(data)
    except DecodeError:
        raise ImportRefused("This is not a frozen graph, nor a SavedModel, a .tflite file or an archive.") from None
    if not graph.node:
        raise ImportRefused("This graph contains no operations.")
    screen_graph(graph)
    return graph


def import_graph(graph: Any, source: str, target: str) -> Any:
    """Return a function from one tensor of the graph to another, both given by name.

    Raise `ImportRefused` if TensorFlow cannot use the graph.
    """
    import tensorflow as tf

    source, target = (name if ":" in name else f"{name}:0" for name in (source, target))

    def build() -> None:
        tf.graph_util.import_graph_def(graph, name=SCOPE)

    try:
        wrapped = tf.compat.v1.wrap_function(build, [])
        return wrapped.prune(f"{SCOPE}/{source}", f"{SCOPE}/{target}")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise ImportRefused(f"TensorFlow cannot use this graph: {first_line(error)}") from None


def restore(data: bytes) -> Any:
    """Return a graph in our form as a function: pictures (N, S, S, 3) 0..255 -> features (N, F).

    Raise `ImportRefused` if it cannot be used, `HostileGraph` if it is not harmless.
    """
    return import_graph(read_graph(data), INPUT, OUTPUT)


def build_network(data: bytes, input_size: int, features: int) -> Any:
    """Return a graph in our form as a keras.Model, whose single layer cannot be trained."""
    import keras
    import tensorflow as tf

    function = restore(data)

    class FrozenGraphLayer(keras.layers.Layer):  # type: ignore[misc]
        def call(self, pictures: Any) -> Any:
            return tf.ensure_shape(function(pictures), (None, features))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], features)

    pictures = keras.Input((input_size, input_size, 3))
    return keras.Model(pictures, FrozenGraphLayer(name="network", trainable=False)(pictures))


def convert(data: bytes) -> bytes:
    """Convert a graph in our form to LiteRT, using LiteRT's own operations only.

    Raise whatever the converter raises.
    """
    import tensorflow as tf

    function = restore(data)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
    return bytes(converter.convert())
