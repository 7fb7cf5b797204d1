"""Run the classifier in retrained_graph.pb with TensorFlow 2."""

import tensorflow as tf

MEAN = DEVIATION = 128  # as in the original label_image.py
REFUSED = "none_of_these"  # the output of a classifier that refuses pictures


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these."""
    graph_def = tf.compat.v1.GraphDef.FromString((folder / "retrained_graph.pb").read_bytes())
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name="import"), [])
    outputs = ["import/final_result:0"]
    if any(node.name == REFUSED for node in graph_def.node):
        outputs.append(f"import/{REFUSED}:0")
    run = imported.prune("import/input:0", outputs)

    def classify(data, picture):
        probabilities, *refused = run(tf.constant((picture[None].astype("float32") - MEAN) / DEVIATION))
        return probabilities.numpy()[0], any(bool(one.numpy()[0]) for one in refused)

    return classify
