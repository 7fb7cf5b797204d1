"""Export the classifier as a Keras model, to train further, take apart or build upon."""

from pathlib import Path

import numpy as np

from ml.exports.parts import Parts
from ml.exports.registry import ClassifyFunction

MODEL = "model.keras"


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow.

    A frozen graph has no Keras layers: raise `SystemExit` with a sentence, which ends the process.
    """
    if not parts.backbone.has_layers:
        raise SystemExit("A backbone that was fine-tuned or added is stored as a graph, which is not a Keras model.")
    parts.build_classifier().save(folder / MODEL)
    parts.write_texts(folder, "keras_model")


def load(folder: Path) -> ClassifyFunction:
    """Return a function that answers with the exported model through Keras. Import TensorFlow."""
    import keras

    classifier = keras.models.load_model(folder / MODEL)
    return lambda data, picture: np.asarray(classifier(picture.astype(np.float32), training=False), np.float32)
