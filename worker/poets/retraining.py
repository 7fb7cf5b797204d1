"""`retrain`: a folder of photos to a graph, its labels, summaries and a SavedModel, with nothing else running."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.backbones import Backbone
from worker.backbones.convert import ensure_tflite
from worker.config import TrainConfig
from worker.embeddings import embedding_key
from worker.evaluation import evaluate
from worker.exports.parts import Parts, one_line_labels
from worker.head import Head, Split
from worker.poets.bottlenecks import Bottlenecks, fill
from worker.poets.photos import Photo, Photos, check_classes, list_photos, split_photos
from worker.poets.summaries import Summaries
from worker.splits import TEST, TRAINING, VALIDATION


class RetrainFailed(RuntimeError):
    """The message is a sentence for the user."""


class Flags(Protocol):
    """What `add_retrain_flags` gives."""

    image_dir: Path
    output_graph: Path
    output_labels: Path
    saved_model_dir: Path | None
    intermediate_output_graphs_dir: Path
    intermediate_store_frequency: int
    summaries_dir: Path
    how_many_training_steps: int
    learning_rate: float
    testing_percentage: int
    validation_percentage: int
    eval_step_interval: int
    train_batch_size: int
    test_batch_size: int
    validation_batch_size: int
    print_misclassified_test_images: bool
    bottleneck_dir: Path
    final_tensor_name: str
    seed: int
    assert_accuracy_at_least: float | None


@dataclass(frozen=True)
class Talk:
    """Where words go: lines of results, warnings, and progress, which a terminal shows in place."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    progress: Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Data:
    """All pictures with features, row by row."""

    photos: list[Photo]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    splits: dict[str, NDArray[np.int64]]  # rows

    def split(self, name: str, most: int = -1) -> Split:
        rows = self.splits[name] if most < 0 else self.splits[name][:most]
        return Split(self.features[rows], self.labels[rows])


def retrain(flags: Flags, backbone: Backbone, backbones: Path, talk: Talk) -> float:
    """Do all that the flags say; the test accuracy. Raises RetrainFailed, BadPhotos,
    ArchiveRejected, EmptySplit, and what `ensure_tflite` raises."""
    check_targets(flags)
    # Seconds that go by while the features are computed.
    threading.Thread(target=_import_tensorflow, daemon=True).start()
    photos = list_photos(flags.image_dir, talk.warn)
    check_classes(photos, flags.image_dir, talk.warn)
    data = _embed(flags, photos, backbone, backbones, talk)
    head = _train(flags, data, Parts("Retrained", 1, backbone, _no_head(), photos.labels), talk)
    test = data.split(TEST, flags.test_batch_size)
    probabilities = head.probabilities(test.features)
    accuracy = evaluate(probabilities, test.labels, photos.labels)["test_accuracy"] or 0.0
    talk.say(f"Final test accuracy = {100 * accuracy:.1f}% (N={len(test.labels)})")
    if flags.print_misclassified_test_images:
        _print_misclassified(flags, data, photos.labels, probabilities, talk)
    if flags.assert_accuracy_at_least is not None and accuracy < flags.assert_accuracy_at_least:
        raise RetrainFailed(
            f"The test accuracy {accuracy:.4f} is below --assert_accuracy_at_least={flags.assert_accuracy_at_least:g}. "
            "Nothing was written."
        )
    _write(flags, Parts(flags.image_dir.resolve().name, 1, backbone, head, photos.labels))
    return float(accuracy)


def check_targets(flags: Flags) -> None:
    """What would fail at the end is said at the beginning. Raises RetrainFailed."""
    for path in (flags.output_graph, flags.output_labels):
        if path.is_dir():
            raise RetrainFailed(f"{path} is a folder; it should be a file.")
    folder = flags.saved_model_dir
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RetrainFailed(f"--saved_model_dir={folder} is not empty. Name a new folder; nothing there was touched.")


def _import_tensorflow() -> None:
    import tensorflow  # noqa: F401


def _no_head() -> Head:
    return Head(np.empty((0, 0), np.float32), np.empty(0, np.float32))


def _embed(flags: Flags, photos: Photos, backbone: Backbone, backbones: Path, talk: Talk) -> _Data:
    backbone.ensure_weights(
        lambda done, total: talk.progress("Downloading the weights, KB", done // 1024, total // 1024)
    )
    bottlenecks = Bottlenecks(flags.bottleneck_dir, embedding_key(backbone.digest), backbone.features)
    missing = [photo for photo in photos.photos if bottlenecks.load(photo.sha256) is None]
    if missing:
        converted = ensure_tflite(backbone, backbones)
        for done in fill(bottlenecks, missing, photos.read, converted, talk.warn):
            talk.progress("Bottlenecks", done, len(missing))
        talk.say(f"{len(missing)} bottleneck files created.")
    vectors = [bottlenecks.load(photo.sha256) for photo in photos.photos]
    readable = [photo for photo, vector in zip(photos.photos, vectors, strict=True) if vector is not None]
    kept = Photos(photos.walk, photos.labels, readable)
    check_classes(kept, flags.image_dir, lambda line: None)
    splits = split_photos(
        readable,
        validation_percentage=flags.validation_percentage,
        testing_percentage=flags.testing_percentage,
    )
    rows: dict[str, list[int]] = {name: [] for name in (TRAINING, VALIDATION, TEST)}
    for row, photo in enumerate(readable):
        rows[splits[photo.sha256]].append(row)
    # In the order of the content, so that a part of a split is a fair one: in the walk's, classes follow each other.
    ordered = {name: sorted(found, key=lambda row: readable[row].sha256) for name, found in rows.items()}
    return _Data(
        readable,
        np.stack([vector for vector in vectors if vector is not None]),
        np.array([photo.label for photo in readable], np.int64),
        {name: np.array(found, np.int64) for name, found in ordered.items()},
    )


def _train(flags: Flags, data: _Data, parts: Parts, talk: Talk) -> Head:
    """Gradient descent as in the original, with its lines and summaries."""
    from worker.recipe_poets import descend

    config = TrainConfig(
        backbone=parts.backbone.name,
        recipe="poets",
        seed=flags.seed,
        steps=flags.how_many_training_steps,
        learning_rate=flags.learning_rate,
        batch_size=flags.train_batch_size,
    )
    training, validation = data.split(TRAINING), data.split(VALIDATION, flags.validation_batch_size)
    writers = {name: Summaries(flags.summaries_dir / name) for name in ("train", "validation")}
    intervals = descend(training, validation, len(parts.labels), config, interval=_interval(flags))
    for step, head, _ in intervals:
        if step % flags.eval_step_interval == 0 or step == config.steps:
            _tell(step, head, training, validation, writers, talk)
        if flags.intermediate_store_frequency and step % flags.intermediate_store_frequency == 0:
            target = flags.intermediate_output_graphs_dir / f"intermediate_{step}.pb"
            _write_graph(target, Parts(parts.title, 1, parts.backbone, head, parts.labels), flags.final_tensor_name)
    for writer in writers.values():
        writer.close()
    if not (np.isfinite(head.weights).all() and np.isfinite(head.bias).all()):
        raise RetrainFailed("The training ran out of bounds. Choose a smaller --learning_rate.")
    return head


def _interval(flags: Flags) -> int:
    """Steps between two looks: all that is asked for falls on one."""
    return int(np.gcd(flags.eval_step_interval, flags.intermediate_store_frequency or flags.eval_step_interval))


def _tell(step: int, head: Head, training: Split, validation: Split, writers: dict[str, Summaries], talk: Talk) -> None:
    for name, split in (("train", training), ("validation", validation)):
        probabilities = head.probabilities(split.features)
        right = probabilities[np.arange(len(split.labels)), split.labels].astype(np.float64)
        entropy = float(-np.log(np.maximum(right, 1e-38)).mean())
        accuracy = float(np.mean(probabilities.argmax(axis=1) == split.labels))
        scalars = {"accuracy_1": accuracy, "cross_entropy_1": entropy}
        histograms = {"final_training_ops/weights": head.weights, "final_training_ops/biases": head.bias}
        writers[name].add(step, scalars, histograms if np.isfinite(head.weights).all() else {})
        if name == "train":
            talk.say(f"Step {step}: Train accuracy = {100 * accuracy:.1f}%")
            talk.say(f"Step {step}: Cross entropy = {entropy:f}")
        else:
            talk.say(f"Step {step}: Validation accuracy = {100 * accuracy:.1f}% (N={len(split.labels)})")


def _print_misclassified(
    flags: Flags, data: _Data, labels: list[str], probabilities: NDArray[np.float32], talk: Talk
) -> None:
    talk.say("=== MISCLASSIFIED TEST IMAGES ===")
    for row, named in zip(data.splits[TEST], probabilities.argmax(axis=1), strict=False):
        if named != data.labels[row]:
            talk.say(f"{flags.image_dir / data.photos[row].name!s:>70}  {labels[named]}")


def _write(flags: Flags, parts: Parts) -> None:
    _write_graph(flags.output_graph, parts, flags.final_tensor_name)
    _write_whole(flags.output_labels, one_line_labels(parts.labels).encode())
    if flags.saved_model_dir is not None:
        from worker.exports.saved_model import save

        flags.saved_model_dir.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=flags.saved_model_dir.parent, prefix=".saved-model-") as aside:
            save(parts, flags.output_labels, Path(aside, "model"))
            if flags.saved_model_dir.exists():
                flags.saved_model_dir.rmdir()  # empty, as was looked at in the beginning
            shutil.move(Path(aside, "model"), flags.saved_model_dir)


def _write_graph(path: Path, parts: Parts, final_tensor_name: str) -> None:
    from worker.exports.frozen_graph import freeze

    _write_whole(path, freeze(parts, final_tensor_name))


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(data)
    os.replace(aside, path)


def use_quietly(weights: Path | None) -> None:
    """Before TensorFlow is imported: its remarks are not for the user. `weights` is where --model_dir says."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if weights is not None:
        os.environ["POETSWEB_WEIGHTS"] = str(weights)
