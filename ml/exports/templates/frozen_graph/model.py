"""Run the classifier in retrained_graph.pb with TensorFlow 2."""

import tensorflow as tf

MEAN = DEVIATION = 128  # as in the original label_image.py


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,)."""
    graph_def = tf.compat.v1.GraphDef.FromString((folder / "retrained_graph.pb").read_bytes())
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name="import"), [])
    run = imported.prune("import/input:0", "import/final_result:0")
    return lambda data, picture: run(tf.constant((picture[None].astype("float32") - MEAN) / DEVIATION)).numpy()[0]
