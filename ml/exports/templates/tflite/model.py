"""Run the classifier in model.tflite with LiteRT, and model_with_none_of_these.tflite, if there is one, beside it."""

from ai_edge_litert.interpreter import Interpreter

REFUSING = "model_with_none_of_these.tflite"


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these."""
    run = open_model(folder / "model.tflite")
    refuse = open_model(folder / REFUSING) if (folder / REFUSING).exists() else None

    def classify(data, picture):
        refused = refuse is not None and bool(refuse(picture)["none_of_these"][0])
        return run(picture)["probabilities"][0], refused

    return classify


def open_model(path):
    """Return a function: pixels, uint8 (S, S, 3) -> the outputs by name, for one picture."""
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    dtype = runner.get_input_details()["pictures"]["dtype"]
    return lambda picture: runner(pictures=picture[None].astype(dtype))
