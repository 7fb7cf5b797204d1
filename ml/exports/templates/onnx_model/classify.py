"""Classify pictures: run `python classify.py PICTURE…` after `pip install onnxruntime pillow numpy`."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

here = Path(__file__).parent
labels = (here / "labels.txt").read_text(encoding="utf-8").splitlines()
session = onnxruntime.InferenceSession(str(here / "model.onnx"), providers=["CPUExecutionProvider"])
size = session.get_inputs()[0].shape[1]
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, np.float32)[np.newaxis]
    scores = session.run(["probabilities"], {"pictures": pixels})[0][0]
    for place in np.argsort(-scores)[:5]:
        print(f"{name}\t{labels[place]}\t{scores[place]:.4f}")
