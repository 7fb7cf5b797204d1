"""Backbones as frozen TensorFlow graphs: a classifier's graph is put together from one in a moment.

Input `pictures`, float32 (N, S, S, 3) RGB 0..255; output `features`, float32 (N, F). All of it imports TensorFlow.
"""

from pathlib import Path
from typing import Any

from ml.backbones.backbone import Backbone
from ml.backbones.spec import GRAPH, custom_backbone_dir
from ml.errors import ImportRefused, first_line
from ml.files import write_atomically
from ml.sandbox.screening import screen_graph

INPUT, OUTPUT = "pictures", "features"


def ensure_graph(backbone: Backbone, folder: Path | None = None) -> Any:
    """The GraphDef, from `folder` or made there. Raises ValueError for a network that came as a .tflite file, and what
    `build_network` raises.
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
    """Raises WeightsMissing."""
    return folder / f"{backbone.name}-{backbone.digest[:16]}.pb"


def write_graph(network: Any, path: Path) -> None:
    """A keras.Model's, whole or not at all."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec([None, *network.input_shape[1:]], tf.float32, name=INPUT)

    @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
    def look(pictures: Any) -> Any:
        return tf.identity(network(pictures, training=False), name=OUTPUT)

    frozen = convert_variables_to_constants_v2(look.get_concrete_function())
    write_atomically(path, frozen.graph.as_graph_def().SerializeToString(deterministic=True))


def read_graph(data: bytes) -> Any:
    """A GraphDef that was looked through. Raises ImportRefused, HostileGraph."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        graph = tf.compat.v1.GraphDef.FromString(data)
    except DecodeError:
        raise ImportRefused("This is not a frozen graph, nor a SavedModel, a .tflite file or an archive.") from None
    if not graph.node:
        raise ImportRefused("There are no operations in this graph.")
    screen_graph(graph)
    return graph


def import_graph(graph: Any, source: str, target: str) -> Any:
    """A function from one tensor to another, by their names. Raises ImportRefused."""
    import tensorflow as tf

    source, target = (name if ":" in name else f"{name}:0" for name in (source, target))

    def build() -> None:
        tf.graph_util.import_graph_def(graph, name="backbone")

    try:
        wrapped = tf.compat.v1.wrap_function(build, [])
        return wrapped.prune(f"network/{source}", f"network/{target}")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise ImportRefused(f"TensorFlow cannot use this graph: {first_line(error)}") from None


def restore(data: bytes) -> Any:
    """Our form as a function: pictures (N, S, S, 3) 0..255 -> features (N, F). Raises ImportRefused, HostileGraph."""
    return import_graph(read_graph(data), INPUT, OUTPUT)


def build_network(data: bytes, input_size: int, features: int) -> Any:
    """Our form as a keras.Model, whose one layer cannot be trained."""
    import keras
    import tensorflow as tf

    function = restore(data)

    class CustomBackbone(keras.layers.Layer):  # type: ignore[misc]
        def call(self, pictures: Any) -> Any:
            return tf.ensure_shape(function(pictures), (None, features))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], features)

    pictures = keras.Input((input_size, input_size, 3))
    return keras.Model(pictures, CustomBackbone(name="network", trainable=False)(pictures))


def convert(data: bytes) -> bytes:
    """The LiteRT form, with LiteRT's own operations alone. Raises what the converter raises."""
    import tensorflow as tf

    function = restore(data)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
    return bytes(converter.convert())
