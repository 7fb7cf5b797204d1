"""The classifier as Keras keeps it: to train on, to cut up, to build upon."""

from pathlib import Path

import numpy as np

from ml.exports.parts import Parts
from ml.exports.registry import Answer

MODEL = "model.keras"

CODE = '''"""Name what is in pictures: python classify.py PICTURE…  Needs: pip install keras tensorflow pillow"""

import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageOps

here = Path(__file__).parent
labels = (here / "labels.txt").read_text(encoding="utf-8").splitlines()
classifier = keras.models.load_model(here / "model.keras")
size = classifier.input_shape[1]
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    scores = classifier.predict(np.asarray(picture, np.float32)[np.newaxis], verbose=0)[0]
    for place in np.argsort(-scores)[:5]:
        print(f"{name}\\t{labels[place]}\\t{scores[place]:.4f}")
'''

TEXT = """# {title}, version {version}

An image classifier for Keras 3, made with PoetsWeb.

| file | what it is |
|---|---|
| `model.keras` | pictures as float32 (N, {size}, {size}, 3), RGB from 0 to 255, to probabilities (N, {classes}) |
| `labels.txt` | the class of each output, one a line |
| `classify.py` | names pictures: `python classify.py picture.jpg` |

The last layer, `final_result`, is what was trained; all before it is the backbone, whose features it takes.
"""


def build(parts: Parts, folder: Path) -> None:
    """Imports TensorFlow. Ends the process with a sentence for a frozen graph, of which Keras keeps no layers."""
    if parts.backbone.network is not None:
        raise SystemExit("A backbone that was fine-tuned or brought along is kept as a graph, which is no Keras model.")
    parts.build_classifier().save(folder / MODEL)
    parts.write_texts(folder, readme=TEXT, code=CODE)


def load(folder: Path) -> Answer:
    """Through Keras. Imports TensorFlow."""
    import keras

    classifier = keras.models.load_model(folder / MODEL)
    return lambda data, picture: np.asarray(classifier(picture.astype(np.float32), training=False), np.float32)
