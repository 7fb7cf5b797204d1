"""Run the classifier in model.onnx with ONNX Runtime."""

import onnxruntime


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,)."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return lambda data, picture: session.run(["probabilities"], {"pictures": picture[None].astype("float32")})[0][0]
