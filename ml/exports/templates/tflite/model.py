"""Run the classifier in model.tflite with LiteRT."""

from ai_edge_litert.interpreter import Interpreter

REFUSING = "with_none_of_these"  # the signature of a classifier that refuses pictures


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,), none of these."""
    interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    known = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(REFUSING if REFUSING in known else "serving_default")
    dtype = run.get_input_details()["pictures"]["dtype"]

    def classify(data, picture):
        found = run(pictures=picture[None].astype(dtype))
        return found["probabilities"][0], bool(found.get("none_of_these", [False])[0])

    return classify
