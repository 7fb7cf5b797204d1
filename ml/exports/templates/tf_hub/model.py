"""Run the classifier in the folder model with TensorFlow Hub."""

import tensorflow as tf
import tensorflow_hub as hub

REFUSING = "with_none_of_these"  # the signature of a classifier that refuses pictures


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these."""
    signatures = hub.load(str(folder / "model")).signatures
    run = signatures[REFUSING if REFUSING in signatures else "default"]

    def classify(data, picture):
        found = run(images=tf.constant(picture[None].astype("float32") / 255))
        refused = found.get("none_of_these")
        return found["default"].numpy()[0], refused is not None and bool(refused.numpy()[0])

    return classify
