"""Run the classifier in model.tflite with LiteRT."""

from ai_edge_litert.interpreter import Interpreter


def load(folder):
    """Return a function: a picture's file and its pixels, uint8 (S, S, 3) -> probabilities (C,)."""
    interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def classify(data, picture):
        interpreter.set_tensor(source["index"], picture[None].astype(source["dtype"]))
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])[0]

    return classify
