"""Backbones as frozen TensorFlow graphs: a classifier's graph is put together from one in a moment.

Input `pictures`, float32 (N, S, S, 3) RGB 0..255; output `features`, float32 (N, F). All of it imports TensorFlow.
"""

import os
from pathlib import Path
from typing import Any

from worker.backbones.backbone import Backbone
from worker.networks.graphs import INPUT, OUTPUT
from worker.networks.spec import GRAPH, network_folder
from worker.places import backbones_folder


def ensure_graph(backbone: Backbone, folder: Path | None = None) -> Any:
    """The GraphDef, from `folder` or made there. Raises ValueError for a network that came as a .tflite file, and what
    `build_network` raises.
    """
    import tensorflow as tf

    if backbone.network is not None and backbone.network.file == GRAPH:
        return tf.compat.v1.GraphDef.FromString((network_folder(backbone.name) / GRAPH).read_bytes())
    path = graph_path(backbone, folder or backbones_folder())
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
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))
    os.replace(aside, path)
