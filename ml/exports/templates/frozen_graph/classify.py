"""Classify pictures: run `python classify.py PICTURE…` after `pip install tensorflow pillow`."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

here = Path(__file__).parent
labels = (here / "retrained_labels.txt").read_text(encoding="utf-8").splitlines()
graph_def = tf.compat.v1.GraphDef.FromString((here / "retrained_graph.pb").read_bytes())
imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name="import"), [])
classify = imported.prune("import/input:0", "import/final_result:0")
size = int(imported.graph.as_graph_element("import/input:0").shape[1])
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = (np.asarray(picture, np.float32)[np.newaxis] - 128) / 128
    scores = classify(tf.constant(pixels)).numpy()[0]
    for place in np.argsort(-scores)[:5]:
        print(f"{name}\t{labels[place]}\t{scores[place]:.4f}")
