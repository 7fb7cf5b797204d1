"""Classify pictures: run `python classify.py PICTURE…` after `pip install tensorflow`."""

import sys
from pathlib import Path

import tensorflow as tf

(folder,) = (Path(__file__).parent / "saved_model").iterdir()
classify = tf.saved_model.load(str(folder)).signatures["serving_default"]
for name in sys.argv[1:]:
    answer = classify(image_bytes=tf.constant([Path(name).read_bytes()]))
    scores, classes = answer["scores"][0], answer["classes"][0]
    for place in tf.argsort(scores, direction="DESCENDING")[:5]:
        print(f"{name}\t{classes[place].numpy().decode()}\t{scores[place].numpy():.4f}")
