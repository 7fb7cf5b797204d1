"""What a frozen graph takes, as the original `label_image.py` gives it by default: float32 (N, S, S, 3), normalised."""

INPUT_LAYER, OUTPUT_LAYER = "input", "final_result"
MEAN = DEVIATION = 128.0
