"""Implement `retrain`: make a graph, its labels, summaries and a SavedModel from a folder of photos."""

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.cli import graph_cache
from ml.cli.console import Console
from ml.cli.features import Data, PhotoFeatures
from ml.cli.flags import list_setting_flags
from ml.cli.photos import Photos, check_classes, list_photos, split_photos
from ml.datasets.splits import SPLITS, TEST, TRAINING, VALIDATION
from ml.errors import Refused
from ml.exports.parts import Parts, one_line_labels
from ml.files import open_atomically, write_atomically
from ml.images.augmentation import Augmentation
from ml.training.config import TrainConfig
from ml.training.evaluation import evaluate
from ml.training.event_files import EventFile, add_point
from ml.training.head import Head, LabelledFeatures


class RetrainFailed(Refused):
    """The training failed or was refused. The message is a sentence for the user."""


class RetrainFlags(Protocol):
    """The values that the flags of `add_retrain_flags` have, except those of the training settings."""

    image_dir: Path
    output_graph: Path
    output_labels: Path
    saved_model_dir: Path | None
    intermediate_output_graphs_dir: Path
    intermediate_store_frequency: int
    summaries_dir: Path
    testing_percentage: int
    validation_percentage: int
    eval_step_interval: int
    test_batch_size: int
    validation_batch_size: int
    print_misclassified_test_images: bool
    bottleneck_dir: Path
    final_tensor_name: str
    assert_accuracy_at_least: float | None
    checkpoint_path: Path


def retrain(flags: RetrainFlags, backbone: Backbone, console: Console) -> float:
    """Do everything the flags say, and return the test accuracy.

    Raise `ConfigError` before anything is done. Raise `RetrainFailed`, `BadPhotos`, `ArchiveRejected`, `EmptySplit`,
    and whatever `ensure_tflite` raises.
    """
    config = make_config(flags, backbone.name)
    check_targets(flags)
    # Importing takes seconds, which pass while the features are computed.
    threading.Thread(target=_import_tensorflow, daemon=True).start()
    photos = list_photos(flags.image_dir, console.warn)
    check_classes(photos, flags.image_dir, console.warn)
    features = PhotoFeatures(flags.bottleneck_dir, backbone, photos, console)
    data = _embed(flags, photos, features, config.augmentations)
    head = _train(flags, config, data, Parts("Retrained", 1, backbone, _no_head(), photos.labels), console)
    test = data.split(TEST, flags.test_batch_size)
    probabilities = head.probabilities(test.features)
    accuracy = evaluate(probabilities, test.labels, photos.labels)["test_accuracy"] or 0.0
    console.say(f"Final test accuracy = {100 * accuracy:.1f}% (N={len(test.labels)})")
    if flags.print_misclassified_test_images:
        _print_misclassified(flags, data, photos.labels, probabilities, console)
    if flags.assert_accuracy_at_least is not None and accuracy < flags.assert_accuracy_at_least:
        raise RetrainFailed(too_low(accuracy, flags.assert_accuracy_at_least))
    write_files(flags, Parts(flags.image_dir.resolve().name, 1, backbone, head, photos.labels))
    return float(accuracy)


def too_low(accuracy: float, bar: float) -> str:
    """Return the message for a test accuracy below the required one."""
    return f"The test accuracy {accuracy:.4f} is below --assert_accuracy_at_least={bar:g}. Nothing was written."


def check_targets(flags: RetrainFlags) -> None:
    """Check at the beginning what would fail at the end. Raise `RetrainFailed` if files could not be written."""
    for path in (flags.output_graph, flags.output_labels):
        if path.is_dir():
            raise RetrainFailed(f"{path} is a folder; it must be a file.")
    folder = flags.saved_model_dir
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RetrainFailed(f"--saved_model_dir={folder} is not empty. Choose a new folder; nothing in it was changed.")


def _import_tensorflow() -> None:
    import tensorflow  # noqa: F401


def _no_head() -> Head:
    return Head(np.empty((0, 0), np.float32), np.empty(0, np.float32))


def make_config(flags: RetrainFlags, backbone: str) -> TrainConfig:
    """Make the config from the flags. Raise `ConfigError`."""
    settings = {name: getattr(flags, flag) for name, flag in list_setting_flags().items()}
    return TrainConfig(backbone=backbone, recipe="sgd", **settings)


def _embed(flags: RetrainFlags, photos: Photos, features: PhotoFeatures, augmentations: list[Augmentation]) -> Data:
    features.backbone.ensure_weights(
        lambda done, total: features.console.progress("Downloading the weights, KB", done // 1024, total // 1024)
    )
    readable = features.ensure(photos.photos)
    kept = Photos(photos.walk, photos.labels, readable)
    check_classes(kept, flags.image_dir, lambda line: None)
    splits = split_photos(
        readable,
        validation_percentage=flags.validation_percentage,
        testing_percentage=flags.testing_percentage,
    )
    # Sorted by content, so that a part of a split is a fair sample: in the order of the walk, the classes are grouped.
    ordered = sorted(readable, key=lambda photo: photo.sha256)
    found = {name: [photo for photo in ordered if splits[photo.sha256] == name] for name in SPLITS}
    for augmentation in augmentations:
        features.ensure(found[TRAINING], augmentation)
    loaded = {
        name: features.load(found[name], [None, *augmentations] if name == TRAINING else [None]) for name in SPLITS
    }
    return Data(found, loaded)


def _train(flags: RetrainFlags, config: TrainConfig, data: Data, parts: Parts, console: Console) -> Head:
    """Run gradient descent as in the original, with its lines of output and its summaries."""
    from ml.blas import blas_on_one_core
    from ml.training.recipes.sgd import descend

    training, validation = data.split(TRAINING), data.split(VALIDATION, flags.validation_batch_size)
    writers = {name: EventFile(flags.summaries_dir / name) for name in ("train", "validation")}
    intervals = descend(training, validation, len(parts.labels), config, interval=_interval(flags))
    with blas_on_one_core():
        for step, head, _ in intervals:
            if step % flags.eval_step_interval == 0 or step == config.steps:
                _tell(step, head, config.learning_rate, {"train": training, "validation": validation}, writers, console)
            if flags.intermediate_store_frequency and step % flags.intermediate_store_frequency == 0:
                target = flags.intermediate_output_graphs_dir / f"intermediate_{step}.pb"
                _write_graph(target, Parts(parts.title, 1, parts.backbone, head, parts.labels), flags.final_tensor_name)
    for writer in writers.values():
        writer.close()
    if not (np.isfinite(head.weights).all() and np.isfinite(head.bias).all()):
        raise RetrainFailed("The training diverged. Choose a smaller --learning_rate.")
    return head


def _interval(flags: RetrainFlags) -> int:
    """Return the steps between two looks at the head, so that every step asked for is one of them."""
    return int(np.gcd(flags.eval_step_interval, flags.intermediate_store_frequency or flags.eval_step_interval))


def _tell(
    step: int,
    head: Head,
    rate: float,
    splits: dict[str, LabelledFeatures],
    writers: dict[str, EventFile],
    console: Console,
) -> None:
    measured = add_point(writers, splits, step, head, learning_rate=rate)
    (training, entropy), (validation, _) = measured["train"], measured["validation"]
    console.say(f"Step {step}: Train accuracy = {100 * training:.1f}%")
    console.say(f"Step {step}: Cross entropy = {entropy:f}")
    held_out = len(splits["validation"].labels)
    console.say(f"Step {step}: Validation accuracy = {100 * validation:.1f}% (N={held_out})")


def _print_misclassified(
    flags: RetrainFlags, data: Data, labels: list[str], probabilities: NDArray[np.float32], console: Console
) -> None:
    console.say("=== MISCLASSIFIED TEST IMAGES ===")
    for photo, named in zip(data.photos[TEST], probabilities.argmax(axis=1), strict=False):
        if named != photo.label:
            console.say(f"{flags.image_dir / photo.name!s:>70}  {labels[named]}")


def write_files(flags: RetrainFlags, parts: Parts) -> None:
    """Write all files that remain in the end. Import TensorFlow."""
    _write_checkpoint(flags.checkpoint_path, parts.head)
    _write_graph(flags.output_graph, parts, flags.final_tensor_name)
    write_atomically(flags.output_labels, one_line_labels(parts.labels))
    if flags.saved_model_dir is not None:
        from ml.exports.saved_model import save

        flags.saved_model_dir.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=flags.saved_model_dir.parent, prefix=".saved-model-") as aside:
            save(parts, flags.output_labels, Path(aside, "model"))
            if flags.saved_model_dir.exists():
                flags.saved_model_dir.rmdir()  # empty, as was checked at the beginning
            shutil.move(Path(aside, "model"), flags.saved_model_dir)


def _write_graph(path: Path, parts: Parts, final_tensor_name: str) -> None:
    from ml.exports.frozen_graph import freeze

    content = freeze(parts, final_tensor_name)
    write_atomically(path, content)
    # This lets label_image answer at once, without TensorFlow.
    graph_cache.remember_head(content, final_tensor_name, parts.backbone, parts.head)


def _write_checkpoint(path: Path, head: Head) -> None:
    """Write the last layer's `weights` (F, C) and `bias` (C,)."""
    with open_atomically(path.with_name(f"{path.name}.npz")) as file:
        np.savez(file, allow_pickle=False, weights=head.weights, bias=head.bias)
