"""Run the classifier in the folder model with TensorFlow Hub."""

import tensorflow_hub as hub


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,)."""
    run = hub.load(str(folder / "model"))
    return lambda data, picture: run(picture[None].astype("float32") / 255).numpy()[0]
