"""Run the classifier in the folder saved_model as TensorFlow Serving would."""

import tensorflow as tf


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these.

    The signature that takes files is used where TensorFlow can decode them, otherwise the one that takes pixels.
    """
    (version,) = (folder / "saved_model").iterdir()
    signatures = tf.saved_model.load(str(version)).signatures

    def classify(data, picture):
        try:
            found = signatures["serving_default"](image_bytes=tf.constant([data]))
        except tf.errors.InvalidArgumentError:
            found = signatures["pictures"](pictures=tf.constant(picture[None].astype("float32") / 255))
        refused = found.get("none_of_these")
        return found["scores"].numpy()[0], refused is not None and bool(refused.numpy()[0])

    return classify
