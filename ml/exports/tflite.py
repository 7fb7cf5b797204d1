"""TensorFlow Lite: backbone, head and softmax in one file, in as many bits as wanted, and a README that runs.

Labels and metadata lie beside the model and within it: a zip behind its end, as TensorFlow Lite's own tools keep
associated files (https://ai.google.dev/edge/litert/models/metadata). Interpreters read past it.
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.exports.parts import Parts
from ml.exports.registry import Answer

MODEL, LABELS, METADATA = "model.tflite", "labels.txt", "metadata.json"

CODE = '''"""Name what is in pictures: python classify.py PICTURE…  Needs: pip install ai-edge-litert pillow numpy"""

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

here = Path(__file__).parent
labels = (here / "labels.txt").read_text(encoding="utf-8").splitlines()
interpreter = Interpreter(model_path=str(here / "model.tflite"))
interpreter.allocate_tensors()
source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
size = int(source["shape"][1])
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    interpreter.set_tensor(source["index"], np.asarray(picture, source["dtype"])[np.newaxis])
    interpreter.invoke()
    scores = interpreter.get_tensor(target["index"])[0]
    for place in np.argsort(-scores)[:5]:
        print(f"{name}\\t{labels[place]}\\t{scores[place]:.4f}")
'''

TEXT = """# {title}, version {version}

An image classifier for TensorFlow Lite (LiteRT), made with PoetsWeb.

| file | what it is |
|---|---|
| `model.tflite` | pictures as DTYPE (N, {size}, {size}, 3), RGB from 0 to 255, to probabilities (N, {classes}) |
| `labels.txt` | the class of each output, one a line |
| `metadata.json` | the same facts for programs; both lie within `model.tflite` as well (`unzip -l model.tflite`) |
| `classify.py` | names pictures: `python classify.py picture.jpg` |

Squeeze the whole upright picture to {size} x {size} with antialiased bilinear resizing; do not crop it, and do not
scale the values: the file does that itself.
"""


@dataclass(frozen=True)
class TFLite:
    """One of the sorts. `prepare(converter, parts)` sets the converter up."""

    takes: str  # the type of the numbers that come in
    prepare: Callable[[Any, Parts], None]

    def build(self, parts: Parts, folder: Path) -> None:
        """Imports TensorFlow."""
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(parts.build_classifier())
        self.prepare(converter, parts)
        (folder / MODEL).write_bytes(converter.convert())
        metadata = parts.describe()
        metadata["input"]["dtype"] = self.takes
        (folder / METADATA).write_text(json.dumps(metadata, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        parts.write_texts(folder, readme=TEXT.replace("DTYPE", self.takes), code=CODE, labels_file=LABELS)
        with zipfile.ZipFile(folder / MODEL, "a") as within:
            for name in (LABELS, METADATA):
                within.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())

    def load(self, folder: Path) -> Answer:
        """Through LiteRT, one picture after the other, as a phone would."""
        from ml.engines.litert import LiteRTEngine

        engine: Any = LiteRTEngine(folder / MODEL)
        return lambda data, picture: engine.embed(picture)  # whatever a LiteRT file gives for a picture


def _as_it_is(converter: Any, parts: Parts) -> None:
    """32 bits."""


def _halve(converter: Any, parts: Parts) -> None:
    """Weights of 16 bits; interpreters reckon with 32 where the processor has no 16."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _quantise(converter: Any, parts: Parts) -> None:
    """Whole numbers within, a picture's own bytes in, probabilities out. The pictures show the range of each layer."""
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
