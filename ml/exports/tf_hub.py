"""Export a SavedModel for TensorFlow Hub, either a classifier or only a backbone.

Called as a function it takes float32 (N, S, S, 3), RGB from 0 to 1, as all picture models of TensorFlow Hub do
(https://www.tensorflow.org/hub/common_signatures/images), and returns probabilities (N, C) or features (N, F). The
signatures `default` and `serving_default` do the same by name: from `images` to `default`. A classifier that refuses
pictures also has `with_none_of_these`, which gives bool (N,) beside `default`. Its variables are not trainable.
"""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ml.backbones.backbone import Backbone
from ml.exports.none_of_these import OUTPUT, SIGNATURE
from ml.exports.parts import Parts

MODEL, LABELS = "model", "labels.txt"


def build(parts: Parts, folder: Path) -> None:
    """Write the format's files to `folder`. Import TensorFlow."""
    parts.write_texts(folder, "tf_hub", labels_file=LABELS)
    plain, full = parts.build_classifiers()
    save(plain, parts.backbone.input_size, folder / MODEL, labels_file=folder / LABELS, refusing=full)


def build_backbone(backbone: Backbone, folder: Path) -> None:
    """Write only the backbone, directly to `folder`. Import TensorFlow."""
    save(backbone.build_network(), backbone.input_size, folder)


def save(network: Any, size: int, target: Path, labels_file: Path | None = None, refusing: Any | None = None) -> None:
    """Write a keras.Model that takes float32 (N, S, S, 3) from 0 to 255 as a SavedModel. Import TensorFlow.

    `refusing` is a model of the same layers that also says what is none of the classes.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="images")]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def call(images: Any) -> Any:
        return network(255.0 * images, training=False)

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def serve(images: Any) -> Any:
        return {"default": call(images)}

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def serve_or_refuse(images: Any) -> Any:
        probabilities, refused = refusing(255.0 * images, training=False)  # type: ignore[misc]
        return {"default": probabilities, OUTPUT: refused}

    # A reusable SavedModel has these names, which `hub.KerasLayer` expects; a tf.Module uses some of them itself.
    module: Any = tf.train.Checkpoint()
    module.variables = [variable.value for variable in (refusing or network).variables]
    module.trainable_variables, module.regularization_losses = [], []
    module.__call__ = call
    if labels_file is not None:
        module.labels = tf.saved_model.Asset(str(labels_file))
    signatures = {"serving_default": serve, "default": serve} | ({SIGNATURE: serve_or_refuse} if refusing else {})
    tf.saved_model.save(module, str(target), signatures=signatures)


def pack_tar(files: Iterable[tuple[str, bytes]], target: IO[bytes]) -> None:
    """Write the tar.gz that TensorFlow Hub downloads, from (path, bytes). The same files give the same bytes."""
    # Weights hardly compress, so the fastest level will do.
    with (
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=target, mtime=0) as packed,
        tarfile.open(mode="w|", fileobj=packed) as archive,
    ):
        folders: set[str] = set()
        for name, data in files:
            for folder in reversed(PurePosixPath(name).parents[:-1]):
                _add_folder(archive, str(folder), folders)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def _add_folder(archive: tarfile.TarFile, name: str, known: set[str]) -> None:
    """Add a folder before its contents, because TensorFlow Hub creates only folders that are listed."""
    if name not in known:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
        known.add(name)
