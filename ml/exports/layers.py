"""Name the input and output of a frozen graph, and how the original `label_image.py` normalises pictures by default."""

INPUT_LAYER, OUTPUT_LAYER = "input", "final_result"
MEAN = DEVIATION = 128.0
