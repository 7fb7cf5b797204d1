"""Run the classifier in model.keras with Keras, and say by none_of_these.npz what is none of its classes."""

import keras
import numpy as np


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these."""
    classifier = keras.models.load_model(folder / "model.keras")
    both = keras.Model(classifier.input, [classifier.output, classifier.layers[-1].input])  # and the features
    with np.load(folder / "none_of_these.npz") as arrays:
        rule = dict(arrays)

    def classify(data, picture):
        probabilities, features = (
            np.asarray(found)[0] for found in both(picture[None].astype("float32"), training=False)
        )
        return probabilities, is_none_of_these(probabilities, features, rule)

    return classify


def is_none_of_these(probabilities, features, rule):
    """Return whether the answer is too improbable, or the picture unlike the nearest of the training pictures."""
    answered = probabilities.argmax()
    if "least_probabilities" in rule and probabilities[answered] < rule["least_probabilities"][answered]:
        return True
    if "directions" not in rule:
        return False
    cosines = rule["directions"] @ (features / max(float(np.linalg.norm(features)), 1e-12))
    return bool(np.sort(cosines)[-int(rule["nearest"]) :].mean() < rule["least_likeness"])
