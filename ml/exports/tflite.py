"""Export to TensorFlow Lite: backbone, head and softmax in one file, in 32, 16 or 8 bits.

Labels and metadata lie beside the model and within it, in a zip appended to its end, which is how TensorFlow Lite's own
tools store associated files; TFLite Metadata say so (see `ml.engines.tflite_metadata`). Interpreters ignore both.
"""

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.engines.tflite_metadata import write_metadata
from ml.exports.none_of_these import OUTPUT, SIGNATURE
from ml.exports.parts import METADATA, Parts

MODEL, LABELS = "model.tflite", "labels.txt"


@dataclass(frozen=True)
class TFLite:
    """One variant of the format. `prepare(converter, parts, signatures)` configures the converter."""

    takes: str  # the type of the numbers that come in
    prepare: Callable[[Any, Parts, list[str]], None]

    def build(self, parts: Parts, folder: Path) -> None:
        """Write the format's files to `folder`. Import TensorFlow."""
        with tempfile.TemporaryDirectory(dir=folder.parent) as saved:
            model = self._convert(parts, Path(saved))
        described = write_metadata(model, title=parts.title, version=str(parts.version), labels_file=LABELS)
        (folder / MODEL).write_bytes(described)
        parts.write_texts(folder, "tflite", labels_file=LABELS, dtype=self.takes)
        with zipfile.ZipFile(folder / MODEL, "a") as within:
            for name in (LABELS, METADATA):
                within.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())

    def _convert(self, parts: Parts, saved: Path) -> bytes:
        """Return the file's content: the signature that every program runs and, of the same weights, one that refuses.

        Libraries for phones take each output of the first for scores of classes.
        """
        import tensorflow as tf

        names = save(parts, saved)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved), signature_keys=names)
        self.prepare(converter, parts, names)
        return bytes(converter.convert())


def save(parts: Parts, target: Path) -> list[str]:
    """Write a SavedModel that takes `pictures` from 0 to 255, and return the names of its signatures."""
    import tensorflow as tf

    plain, full = parts.build_classifiers()
    size = parts.backbone.input_size
    signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="pictures")]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def classify(pictures: Any) -> Any:
        return {"probabilities": plain(pictures, training=False)}

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def classify_or_refuse(pictures: Any) -> Any:
        probabilities, refused = full(pictures, training=False)  # type: ignore[misc] # only where there is one
        return {"probabilities": probabilities, OUTPUT: refused}

    signatures = {"serving_default": classify} | ({SIGNATURE: classify_or_refuse} if full else {})
    module = tf.Module()
    module.variables_of_classifier = [variable.value for variable in (full or plain).variables]
    tf.saved_model.save(module, str(target), signatures=signatures)
    return list(signatures)


def _as_it_is(converter: Any, parts: Parts, signatures: list[str]) -> None:
    """Leave the weights at 32 bits."""


def _halve(converter: Any, parts: Parts, signatures: list[str]) -> None:
    """Store the weights in 16 bits; interpreters compute with 32 if the processor cannot compute with 16."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _quantise(converter: Any, parts: Parts, signatures: list[str]) -> None:
    """Use whole numbers inside, take a picture's own bytes and return probabilities.

    The calibration pictures show the range of each layer's numbers. Raise `ValueError` if there are none.
    """
    import tensorflow as tf

    if not len(parts.calibration):
        raise ValueError("There are no training pictures to calibrate with.")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = partial(_one_by_one, parts.calibration, signatures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8


def _one_by_one(
    pictures: NDArray[np.uint8], signatures: list[str]
) -> Iterator[tuple[str, dict[str, NDArray[np.float32]]]]:
    for signature in signatures:
        for picture in pictures:
            yield signature, {"pictures": picture[np.newaxis].astype(np.float32)}


FLOAT32, FLOAT16, INT8 = TFLite("float32", _as_it_is), TFLite("float32", _halve), TFLite("uint8", _quantise)
