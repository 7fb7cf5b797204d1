"""Export to TensorFlow Lite: backbone, head and softmax in one file, in 32, 16 or 8 bits.

Labels and metadata lie beside the model and within it, in a zip appended to its end, which is how TensorFlow Lite's own
tools store associated files; TFLite Metadata say so (see `ml.engines.tflite_metadata`). Interpreters ignore both.

A classifier that refuses pictures comes as a second file that also says so: libraries for phones, such as MediaPipe,
take every output for scores of classes, and no file with a second subgraph.
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
from ml.exports.none_of_these import OUTPUT
from ml.exports.parts import METADATA, Parts

MODEL, REFUSING, LABELS = "model.tflite", "model_with_none_of_these.tflite", "labels.txt"
PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class TFLite:
    """One variant of the format. `prepare(converter, parts)` configures the converter."""

    takes: str  # the type of the numbers that come in
    prepare: Callable[[Any, Parts], None]

    def build(self, parts: Parts, folder: Path) -> None:
        """Write the format's files to `folder`. Import TensorFlow."""
        plain, full = parts.build_classifiers()
        model = self._convert(plain, [PROBABILITIES], parts)
        described = write_metadata(model, title=parts.title, version=str(parts.version), labels_file=LABELS)
        (folder / MODEL).write_bytes(described)
        if full is not None:
            (folder / REFUSING).write_bytes(self._convert(full, [PROBABILITIES, OUTPUT], parts))
        parts.write_texts(folder, "tflite", labels_file=LABELS, dtype=self.takes)
        with zipfile.ZipFile(folder / MODEL, "a") as within:
            for name in (LABELS, METADATA):
                within.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())

    def _convert(self, classifier: Any, names: list[str], parts: Parts) -> bytes:
        """Return the content of a file whose outputs have these names. Import TensorFlow."""
        import tensorflow as tf

        size = parts.backbone.input_size
        signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="pictures")]

        @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
        def classify(pictures: Any) -> Any:
            found = classifier(pictures, training=False)
            return dict(zip(names, found if len(names) > 1 else [found], strict=True))

        module = tf.Module()
        module.variables_of_classifier = [variable.value for variable in classifier.variables]
        with tempfile.TemporaryDirectory() as saved:
            tf.saved_model.save(module, saved, signatures=classify)
            converter = tf.lite.TFLiteConverter.from_saved_model(saved)
            self.prepare(converter, parts)
            return bytes(converter.convert())


def _as_it_is(converter: Any, parts: Parts) -> None:
    """Leave the weights at 32 bits."""


def _halve(converter: Any, parts: Parts) -> None:
    """Store the weights in 16 bits; interpreters compute with 32 if the processor cannot compute with 16."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _quantise(converter: Any, parts: Parts) -> None:
    """Use whole numbers inside, take a picture's own bytes and return probabilities.

    The calibration pictures show the range of each layer's numbers. Raise `ValueError` if there are none.
    """
    import tensorflow as tf

    if not len(parts.calibration):
        raise ValueError("There are no training pictures to calibrate with.")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = partial(_one_by_one, parts.calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8


def _one_by_one(pictures: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    for picture in pictures:
        yield [picture[np.newaxis].astype(np.float32)]


FLOAT32, FLOAT16, INT8 = TFLite("float32", _as_it_is), TFLite("float32", _halve), TFLite("uint8", _quantise)
