"""Export to ONNX with tf2onnx, for ONNX Runtime and other programs that read it, in most languages.

Input `pictures`: float32 (N, S, S, 3), RGB from 0 to 255. Outputs `probabilities`: (N, C), and `none_of_these`: bool
(N,), where the classifier refuses pictures. The file's own metadata contain the labels, as JSON, and the content of
`metadata.json`.
"""

import json
from pathlib import Path
from typing import Any

from ml.exports.none_of_these import OUTPUT
from ml.exports.parts import Parts

MODEL, PROBABILITIES = "model.onnx", "probabilities"
OPSET = 17  # of 2022: new enough for all operations of the networks, old enough for every runtime in use


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow."""
    import tensorflow as tf
    import tf2onnx
    from onnx.helper import set_model_props

    (plain, full), size = parts.build_classifiers(), parts.backbone.input_size
    signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="pictures")]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def classify(pictures: Any) -> Any:
        if full is None:
            return {PROBABILITIES: plain(pictures, training=False)}
        probabilities, refused = full(pictures, training=False)
        return {PROBABILITIES: probabilities, OUTPUT: refused}

    model, _ = tf2onnx.convert.from_function(classify, input_signature=signature, opset=OPSET)
    # Many programs take the first output for the answer.
    outputs = sorted(model.graph.output, key=lambda tensor: tensor.name != PROBABILITIES)
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    as_json = {name: json.dumps(value, ensure_ascii=False) for name, value in parts.describe("float32").items()}
    set_model_props(model, as_json)
    (folder / MODEL).write_bytes(model.SerializeToString())
    parts.write_texts(folder, "onnx_model")
