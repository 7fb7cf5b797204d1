"""Export a frozen graph as the original TensorFlow for Poets wrote it, which its `label_image.py` reads unchanged.

Input `input`: pictures as float32 (N, S, S, 3), normalised with a mean and a deviation of 128, the defaults of
`label_image.py`. Outputs `final_result`: probabilities (N, C), and `none_of_these`: bool (N,), where the classifier
refuses pictures.
"""

from pathlib import Path

from ml.backbones import frozen_graphs
from ml.backbones.frozen_graphs import ensure_graph
from ml.exports.layers import DEVIATION, INPUT_LAYER, MEAN, OUTPUT_LAYER
from ml.exports.none_of_these import OUTPUT, refuse
from ml.exports.parts import Parts

GRAPH, LABELS = "retrained_graph.pb", "retrained_labels.txt"


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow."""
    (folder / GRAPH).write_bytes(freeze(parts))
    parts.write_texts(folder, "frozen_graph", labels_file=LABELS)


def freeze(parts: Parts, final_tensor_name: str = OUTPUT_LAYER) -> bytes:
    """Return the serialised graph: the backbone's graph with a few operations before and after it.

    Import TensorFlow.
    """
    import tensorflow as tf

    v1, backbone, size = tf.compat.v1, ensure_graph(parts.backbone), parts.backbone.input_size
    with tf.Graph().as_default() as graph:
        pictures = v1.placeholder(tf.float32, [None, size, size, 3], name=INPUT_LAYER)
        pixels = {f"{frozen_graphs.INPUT}:0": pictures * DEVIATION + MEAN}
        (features,) = tf.graph_util.import_graph_def(backbone, pixels, [f"{frozen_graphs.OUTPUT}:0"], name="backbone")
        logits = tf.nn.bias_add(tf.matmul(features, tf.constant(parts.head.weights)), tf.constant(parts.head.bias))
        probabilities = tf.identity(tf.nn.softmax(logits), name=final_tensor_name)
        refused = refuse(features, probabilities, parts.rejection)
        kept = [final_tensor_name] if refused is None else [final_tensor_name, tf.identity(refused, OUTPUT).op.name]
        whole = v1.graph_util.extract_sub_graph(graph.as_graph_def(), kept)
    return bytes(whole.SerializeToString(deterministic=True))
