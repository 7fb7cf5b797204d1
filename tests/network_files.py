"""Networks as strangers bring them, made by TensorFlow in a process of its own: `make_networks(folder)`.

All of them see a picture through the same small layers, so that their features can be compared.
"""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

SIZE, FEATURES, CLASSES = 16, 12, 3


def make_networks(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]


def pack_folder(folder: Path) -> bytes:
    """Pack a SavedModel as TF Hub sends it: a tar.gz whose root it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


def _weights():  # type: ignore[no-untyped-def]
    import numpy as np

    rng = np.random.default_rng(3)
    kernel = rng.normal(0, 0.4, (3, 3, 3, FEATURES)).astype(np.float32)
    return kernel, rng.normal(0, 0.4, (FEATURES, CLASSES)).astype(np.float32)


def main(folder: Path) -> None:
    import tensorflow as tf

    kernel, dense = _weights()
    pictures = [None, SIZE, SIZE, 3]

    def features_of(x, filters):  # type: ignore[no-untyped-def]
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x, filters, 2, "SAME")), axis=[1, 2])

    class Vector(tf.Module):
        """A feature vector of TF Hub: [0, 1] in, called as a function, with `training`."""

        def __init__(self) -> None:
            self.kernel = tf.Variable(kernel)

        @tf.function(autograph=False)
        def __call__(self, x, training=False):  # type: ignore[no-untyped-def]
            return features_of(x, self.kernel)

    vector = Vector()
    vector(tf.zeros([1, SIZE, SIZE, 3]))
    vector.__call__.get_concrete_function(tf.TensorSpec(pictures, tf.float32))
    tf.saved_model.save(vector, str(folder / "vector"))

    class Classifier(tf.Module):
        """For TensorFlow Serving: a signature alone, [0, 1] in."""

        def __init__(self) -> None:
            self.kernel, self.dense = tf.Variable(kernel), tf.Variable(dense)

        @tf.function(input_signature=[tf.TensorSpec(pictures, tf.float32, name="images")], autograph=False)
        def serve(self, x):  # type: ignore[no-untyped-def]
            return {"scores": tf.nn.softmax(features_of(x, self.kernel) @ self.dense)}

    classifier = Classifier()
    tf.saved_model.save(classifier, str(folder / "classifier"), signatures={"serving_default": classifier.serve})

    class Hard(tf.Module):
        """An operation that LiteRT has not of its own."""

        @tf.function(input_signature=[tf.TensorSpec(pictures, tf.float32)], autograph=False)
        def __call__(self, x):  # type: ignore[no-untyped-def]
            return tf.math.digamma(1.5 + features_of(x, tf.constant(kernel)))

    tf.saved_model.save(Hard(), str(folder / "hard"))

    class Reads(tf.Module):
        """Reads a file of the machine it runs on."""

        @tf.function(input_signature=[tf.TensorSpec(pictures, tf.float32)], autograph=False)
        def __call__(self, x):  # type: ignore[no-untyped-def]
            secret = tf.strings.length(tf.io.read_file("/etc/passwd"))
            return features_of(x, tf.constant(kernel)) + tf.cast(secret, tf.float32)

    tf.saved_model.save(Reads(), str(folder / "reads"))

    class Writes(tf.Module):
        """Does it while it is loaded: an initialiser of a table."""

        def __init__(self) -> None:
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(folder / "words.txt"),
                    tf.string,
                    tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                -1,
            )

        @tf.function(input_signature=[tf.TensorSpec(pictures, tf.float32)], autograph=False)
        def __call__(self, x):  # type: ignore[no-untyped-def]
            return features_of(x, tf.constant(kernel))

    (folder / "words.txt").write_text("one\ntwo\n")
    tf.saved_model.save(Writes(), str(folder / "table"))

    _first_version(tf, folder / "first", kernel, features_of)
    _frozen(tf, folder, kernel, dense, features_of)
    _lite(tf, folder, kernel, dense, features_of)
    _keras(folder, kernel, dense)
    _teachable(folder)


def _keras(folder: Path, kernel, dense) -> None:  # type: ignore[no-untyped-def]
    """Save the same classifier as old Keras, new Keras and TensorFlow.js do, and one with a program in it."""
    import json

    import keras
    import numpy as np
    import tf_keras

    zeros = np.zeros(FEATURES, np.float32), np.zeros(CLASSES, np.float32)
    for library, name in ((tf_keras, "keras_model.h5"), (keras, "model.keras")):
        layers = library.layers
        network = library.Sequential(
            [
                layers.Input((SIZE, SIZE, 3)),
                layers.Rescaling(0.5, offset=0.5),
                layers.Conv2D(FEATURES, 3, 2, "same", activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        network.set_weights([kernel, zeros[0], dense, zeros[1]])
        network.save(folder / name)
        if library is tf_keras:
            _tensorflow_js(folder / "js", network, json)
    _as_tutorials_save(keras, folder, network, kernel, dense)
    program = tf_keras.Sequential(
        [
            tf_keras.layers.Input((SIZE, SIZE, 3)),
            tf_keras.layers.Lambda(lambda x: x[:, 0, :, 0]),
            tf_keras.layers.Dense(3),
        ]
    )
    program.save(folder / "lambda.h5")


def _as_tutorials_save(keras, folder: Path, network, kernel, dense) -> None:  # type: ignore[no-untyped-def]
    """Save the new Keras' network compiled, inside another compiled one, as .h5, and with a single output."""
    import numpy as np

    layers = keras.layers
    network.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    network.save(folder / "compiled.keras")
    network.save(folder / "new.h5")
    outer = keras.Sequential([layers.Input((SIZE, SIZE, 3)), network])
    outer.compile(optimizer="sgd", loss="mse")
    outer.save(folder / "nested.keras")
    pictures = keras.Input((SIZE, SIZE, 3))
    found = layers.Conv2D(FEATURES, 3, 2, "same", activation="relu")(pictures / 2 + 0.5)
    found = layers.GlobalAveragePooling2D()(found)
    for name, activation in (("sigmoid", "sigmoid"), ("logit", None)):
        single = keras.Model(pictures, layers.Dense(1, activation=activation)(found))
        single.set_weights([kernel, np.zeros(FEATURES), 4 * dense[:, :1], np.zeros(1)])
        single.save(folder / f"{name}.keras")
        _as_lite(single, folder / f"{name}.tflite")

    _scaling_inside(keras, folder, kernel, dense)


def _scaling_inside(keras, folder: Path, kernel, dense) -> None:  # type: ignore[no-untyped-def]
    """Save networks that scale pixels by their own first layers, in ways that end in other operations."""
    import numpy as np

    layers = keras.layers
    heads = {
        "rescaling": [layers.Rescaling(1 / 127.5, offset=-1.0)],
        "tenth": [layers.Rescaling(1 / 255)],  # which the converter merges into the layer after it, without padding
        "normalised": [layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3411.0, 3260.0, 3290.0])],
        "plain": [],
    }
    for name, head in heads.items():
        padding = "valid" if name == "tenth" else "same"
        network = keras.Sequential(
            [
                layers.Input((SIZE, SIZE, 3)),
                *head,
                layers.Conv2D(FEATURES, 3, 2, padding, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        for layer, weights in zip(network.layers[-3:], (kernel, None, dense), strict=True):
            if weights is not None:
                layer.set_weights([weights, np.zeros(weights.shape[-1])])
        network.save(folder / f"{name}.keras")
        _as_lite(network, folder / f"{name}.tflite")


def _teachable(folder: Path) -> None:
    """Save the network that Teachable Machine makes, with a MobileNetV2 that knows nothing."""
    import tf_keras

    base = tf_keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)
    look = tf_keras.Sequential([base, tf_keras.layers.GlobalAveragePooling2D()])
    dense = [tf_keras.layers.Dense(100, activation="relu"), tf_keras.layers.Dense(2, use_bias=False)]
    network = tf_keras.Sequential([look, tf_keras.Sequential([*dense, tf_keras.layers.Softmax()])])
    network.build((None, 96, 96, 3))
    network.save(folder / "teachable.h5")
    _as_lite(network, folder / "teachable.tflite")


def _as_lite(network, path: Path) -> None:  # type: ignore[no-untyped-def]
    import tensorflow as tf

    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())


def _tensorflow_js(folder: Path, network, json) -> None:  # type: ignore[no-untyped-def]
    folder.mkdir()
    entries = [
        {"name": one.name.split(":")[0], "shape": list(one.shape), "dtype": "float32"} for one in network.weights
    ]
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    described = {"modelTopology": json.loads(network.to_json()), "weightsManifest": manifest}
    (folder / "model.json").write_text(json.dumps(described))
    (folder / "weights.bin").write_bytes(b"".join(array.astype("<f4").tobytes() for array in network.get_weights()))
    (folder / "metadata.json").write_text(json.dumps({"labels": ["a", "b", "c"], "imageSize": SIZE}))


def _first_version(tf, folder: Path, kernel, features_of) -> None:  # type: ignore[no-untyped-def]
    """Save a module as TensorFlow 1 saved modules for TF Hub."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "images")
        filters = v1.get_variable("kernel", initializer=kernel, use_resource=False)
        output = features_of(images, filters)
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.build_signature_def(
            {"images": v1.saved_model.build_tensor_info(images)},
            {"default": v1.saved_model.build_tensor_info(output)},
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], {"image_feature_vector": signature})
        builder.save()


def _frozen(tf, folder: Path, kernel, dense, features_of) -> None:  # type: ignore[no-untyped-def]
    """Write a graph as retrain.py did, `input` from -1 to 1, `final_result`; and one that writes a file."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:  # of pictures of 24 pixels, which it does not say
        x = v1.placeholder(tf.float32, None, "input")
        features = tf.nn.conv2d(tf.reshape(x, [-1, 24, 24, 3]), tf.constant(kernel), 2, "SAME")
        tf.nn.softmax(tf.reduce_mean(features, axis=[1, 2]) @ tf.constant(dense), name="final_result")
    (folder / "shapeless.pb").write_bytes(graph.as_graph_def().SerializeToString())
    for name, hostile in (("graph.pb", False), ("hostile.pb", True)):
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "input")
            scores = tf.nn.softmax(features_of((x + 1) / 2, tf.constant(kernel)) @ tf.constant(dense))
            if hostile:
                with tf.control_dependencies([tf.io.write_file(str(folder / "written"), "gotcha")]):
                    scores = tf.identity(scores)
            tf.identity(scores, name="final_result")
        (folder / name).write_bytes(graph.as_graph_def().SerializeToString())


def _lite(tf, folder: Path, kernel, dense, features_of) -> None:  # type: ignore[no-untyped-def]
    import numpy as np

    @tf.function(input_signature=[tf.TensorSpec([1, SIZE, SIZE, 3], tf.float32)], autograph=False)
    def vector(x):  # type: ignore[no-untyped-def]
        return features_of(x, tf.constant(kernel))

    @tf.function(input_signature=[tf.TensorSpec([1, SIZE, SIZE, 3], tf.float32)], autograph=False)
    def classify(x):  # type: ignore[no-untyped-def]
        return tf.nn.softmax(features_of((x + 1) / 2, tf.constant(kernel)) @ tf.constant(dense))

    for name, function in (("vector.tflite", vector), ("classifier.tflite", classify)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], tf.Module())
        (folder / name).write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([classify.get_concrete_function()], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rng = np.random.default_rng(1)
    converter.representative_dataset = lambda: (
        [rng.uniform(-1, 1, (1, SIZE, SIZE, 3)).astype(np.float32)] for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    (folder / "quantised.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
