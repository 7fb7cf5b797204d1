"""Export the classifier as a Keras model, to train further, take apart or build upon.

It has one output, as people expect who build upon it; what it refuses lies beside it, and the program obeys it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ml.exports.none_of_these import least_of_answers
from ml.exports.parts import Parts
from ml.training.out_of_distribution import NEAREST

MODEL, REFUSED = "model.keras", "none_of_these.npz"


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow.

    A frozen graph has no Keras layers: raise `SystemExit` with a sentence, which ends the process.
    """
    if not parts.backbone.has_layers:
        raise SystemExit("A backbone that was fine-tuned or added is stored as a graph, which is not a Keras model.")
    parts.build_classifier().save(folder / MODEL)
    rejection = parts.rejection
    arrays: dict[str, Any] = {"least_probabilities": least_of_answers(rejection, len(parts.labels))}
    if rejection.detector is not None:
        arrays |= {"directions": rejection.detector.directions}
        arrays |= {"least_likeness": np.float32(rejection.detector.least_likeness), "nearest": np.int64(NEAREST)}
    np.savez(folder / REFUSED, allow_pickle=False, **{name: one for name, one in arrays.items() if one is not None})
    parts.write_texts(folder, "keras_model")
