"""Run the classifier in model.onnx with ONNX Runtime."""

import onnxruntime


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def classify(data, picture):
        probabilities, *refused = session.run(None, {"pictures": picture[None].astype("float32")})
        return probabilities[0], any(bool(one[0]) for one in refused)

    return classify
