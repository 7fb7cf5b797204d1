"""TensorFlow Lite, float32: backbone, head and softmax in one file, with labels and a README that runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.exports.parts import Parts, one_line_labels

MODEL, LABELS, METADATA, README, EXAMPLE = "model.tflite", "labels.txt", "metadata.json", "README.md", "classify.py"

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
    interpreter.set_tensor(source["index"], np.asarray(picture, np.float32)[np.newaxis])
    interpreter.invoke()
    scores = interpreter.get_tensor(target["index"])[0]
    for place in np.argsort(-scores)[:5]:
        print(f"{name}\\t{labels[place]}\\t{scores[place]:.4f}")
'''

TEXT = """# {title}, version {version}

An image classifier for TensorFlow Lite (LiteRT), made with PoetsWeb.

| file | what it is |
|---|---|
| `model.tflite` | pictures as float32 (N, {size}, {size}, 3), RGB from 0 to 255, to probabilities (N, {classes}) |
| `labels.txt` | the class of each output, one a line |
| `metadata.json` | the same facts for programs |
| `classify.py` | names pictures: `python classify.py picture.jpg` |

Squeeze the whole upright picture to {size} x {size} with antialiased bilinear resizing; do not crop it, and do not
scale the values: the file does that itself.
"""


def build(parts: Parts, folder: Path) -> None:
    """Imports TensorFlow."""
    import tensorflow as tf

    (folder / MODEL).write_bytes(tf.lite.TFLiteConverter.from_keras_model(parts.build_classifier()).convert())
    (folder / LABELS).write_text(one_line_labels(parts.labels), encoding="utf-8")
    size, classes = parts.backbone.input_size, len(parts.labels)
    metadata = {
        "version": parts.version,
        "labels": parts.labels,
        "input": {"shape": [None, size, size, 3], "dtype": "float32", "colours": "RGB", "range": [0, 255]},
        "resize": "the whole upright picture, bilinear with antialiasing",
        "output": {"shape": [None, classes], "dtype": "float32", "meaning": "probabilities"},
        "backbone": {"name": parts.backbone.name, "licence": parts.backbone.licence},
    }
    (folder / METADATA).write_text(json.dumps(metadata, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    text = TEXT.format(title=" ".join(parts.title.split()), version=parts.version, size=size, classes=classes)
    (folder / README).write_text(text, encoding="utf-8")
    (folder / EXAMPLE).write_text(CODE, encoding="utf-8")


def load(folder: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Through LiteRT, one picture after the other, as a phone would."""
    from worker.backbones.engine import LiteRTEngine

    engine: Any = LiteRTEngine(folder / MODEL)
    return lambda pictures: engine.embed(pictures)  # whatever a LiteRT file gives for a picture
