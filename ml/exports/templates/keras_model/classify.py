"""Classify pictures: run `python classify.py PICTURE…` after `pip install keras tensorflow pillow`."""

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
        print(f"{name}\t{labels[place]}\t{scores[place]:.4f}")
