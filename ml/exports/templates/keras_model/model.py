"""Run the classifier in model.keras with Keras."""

import keras


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,)."""
    classifier = keras.models.load_model(folder / "model.keras")
    return lambda data, picture: classifier(picture[None].astype("float32"), training=False)[0]
