"""Classify pictures: run `python classify.py PICTURE…` after `pip install ai-edge-litert pillow numpy`."""

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
        print(f"{name}\t{labels[place]}\t{scores[place]:.4f}")
