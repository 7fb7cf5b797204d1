"""Export a SavedModel in the layout of TensorFlow Serving: a folder whose name is the version's number.

| signature          | takes                                                     | gives                          |
|--------------------|-----------------------------------------------------------|--------------------------------|
| `serving_default`  | `image_bytes`: string (N,), files of pictures as they are | `classes` string, `scores`     |
|                    |                                                           | float32, both (N, C)           |
| `pictures`         | `pictures`: float32 (N, S, S, 3), RGB from 0 to 1         | the same                       |

Where the classifier refuses pictures, both also give `none_of_these`, bool (N,).

Called as a function, as with `hub.load`, it takes what `pictures` takes and returns the scores (N, C).
"""

from pathlib import Path
from typing import Any

from ml.exports.none_of_these import OUTPUT
from ml.exports.parts import Parts
from ml.exports.picture_ops import see_file

MODEL, LABELS = "saved_model", "labels.txt"


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow."""
    parts.write_texts(folder, "saved_model", labels_file=LABELS)
    save(parts, folder / LABELS, folder / MODEL / str(parts.version))


def save(parts: Parts, labels_file: Path, target: Path) -> None:
    """Write only the SavedModel, to a new folder. Import TensorFlow."""
    import tensorflow as tf

    module = _build_module(parts, labels_file)
    signatures = {"serving_default": module.serve_files, "pictures": module.serve_pictures}
    tf.saved_model.save(module, str(target), signatures=signatures)


def _build_module(parts: Parts, labels_file: Path) -> Any:
    import tensorflow as tf

    (plain, full), size = parts.build_classifiers(), parts.backbone.input_size
    classes = tf.constant([parts.labels])

    def answer(pixels: Any) -> dict[str, Any]:
        scores, *refused = full(pixels, training=False) if full else [plain(pixels, training=False)]
        named = {"classes": tf.tile(classes, [tf.shape(scores)[0], 1]), "scores": scores}
        return named | ({OUTPUT: refused[0]} if refused else {})

    framing = parts.backbone.framing

    @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32, name="pictures")], autograph=False)  # type: ignore[untyped-decorator]
    def classify(pictures: Any) -> Any:
        return plain(255.0 * pictures, training=False)

    @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32, name="pictures")], autograph=False)  # type: ignore[untyped-decorator]
    def serve_pictures(pictures: Any) -> Any:
        return answer(255.0 * pictures)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")], autograph=False)  # type: ignore[untyped-decorator]
    def serve_files(image_bytes: Any) -> Any:
        spec = tf.TensorSpec([size, size, 3], tf.float32)
        return answer(tf.map_fn(lambda data: see_file(data, size, framing), image_bytes, fn_output_signature=spec))

    module: Any = tf.Module()
    module.variables_of_classifier = [variable.value for variable in (full or plain).variables]
    module.labels = tf.saved_model.Asset(str(labels_file))
    module.__call__, module.serve_pictures, module.serve_files = classify, serve_pictures, serve_files
    return module
