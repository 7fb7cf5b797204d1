"""The classifier as Keras keeps it: to train on, to cut up, to build upon."""

from pathlib import Path

import numpy as np

from ml.exports.parts import Parts
from ml.exports.registry import Answer

MODEL = "model.keras"


def build(parts: Parts, folder: Path) -> None:
    """Imports TensorFlow. Ends the process with a sentence for a frozen graph, of which Keras keeps no layers."""
    if not parts.backbone.has_layers:
        raise SystemExit("A backbone that was fine-tuned or brought along is kept as a graph, which is no Keras model.")
    parts.build_classifier().save(folder / MODEL)
    parts.write_texts(folder, "keras_model")


def load(folder: Path) -> Answer:
    """Through Keras. Imports TensorFlow."""
    import keras

    classifier = keras.models.load_model(folder / MODEL)
    return lambda data, picture: np.asarray(classifier(picture.astype(np.float32), training=False), np.float32)
