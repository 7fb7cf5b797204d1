"""Export the classifier as a Keras model, to train further, take apart or build upon."""

from pathlib import Path

from ml.exports.parts import Parts

MODEL = "model.keras"


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow.

    A frozen graph has no Keras layers: raise `SystemExit` with a sentence, which ends the process.
    """
    if not parts.backbone.has_layers:
        raise SystemExit("A backbone that was fine-tuned or added is stored as a graph, which is not a Keras model.")
    parts.build_classifier().save(folder / MODEL)
    parts.write_texts(folder, "keras_model")
