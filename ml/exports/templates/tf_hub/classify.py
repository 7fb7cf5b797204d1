"""Classify pictures: run `python classify.py PICTURE…` after `pip install tensorflow tensorflow-hub pillow`."""

import sys
from pathlib import Path

import numpy as np
import tensorflow_hub as hub
from PIL import Image, ImageOps

here = Path(__file__).parent
labels = (here / "labels.txt").read_text(encoding="utf-8").splitlines()
classify = hub.load(str(here / "model"))
size = classify.signatures["default"].structured_input_signature[1]["images"].shape[1]
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    scores = classify(np.asarray(picture, np.float32)[np.newaxis] / 255).numpy()[0]
    for place in np.argsort(-scores)[:5]:
        print(f"{name}\t{labels[place]}\t{scores[place]:.4f}")
