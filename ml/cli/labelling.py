"""Implement `label_image`: say what is in pictures, by a frozen graph, a .tflite file, a SavedModel or an artifact."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ml.cli.classifiers import Answer, GraphClassifier, GraphFlags, LabelFailed, Scores, load_classifier
from ml.images.decoding import ImageRejected
from ml.machine import CORES
from ml.settings import MLSettings
from ml.training.rejection import Reason

BEST = 5
DEFAULT_IMAGE = Path("tf_files/flower_photos/daisy/3475870145_685a19116d.jpg")  # the original's
LABEL_FILES = ("retrained_labels.txt", "labels.txt", "output_labels.txt")


class LabelImageFlags(GraphFlags, Protocol):
    """The values that the flags of `add_label_image_flags` have."""

    images: list[Path]
    image: list[Path]


@dataclass(frozen=True)
class Named:
    """A picture's classes, the likeliest first, and why it shows none of them; or why it could not be read."""

    image: Path
    seconds: float
    best: list[tuple[str, float]]
    error: str = ""
    reason: Reason = Reason.NONE


def label_images(flags: LabelImageFlags, settings: MLSettings) -> Iterator[Named]:
    """Yield the result for each picture in turn, computed on all cores.

    Raise `LabelFailed` if the graph or its labels cannot be used.
    """
    images = [*flags.image, *flags.images] or [DEFAULT_IMAGE]
    check_size(flags)
    classifier = load_classifier(flags, settings, threads=CORES if len(images) == 1 else 1)
    labels = read_labels(flags, classifier)
    with ThreadPoolExecutor(min(CORES, len(images))) as pool:
        for image, answer in zip(images, pool.map(lambda image: _ask(classifier, image), images), strict=True):
            yield _name(image, answer, labels)
    classifier.remember()


def check_size(flags: GraphFlags) -> None:
    """Raise `LabelFailed` if the flags give different heights and widths."""
    if flags.input_height != flags.input_width and flags.input_height and flags.input_width:
        raise LabelFailed("--input_height and --input_width must be the same: pictures are scaled to a square.")


def _ask(classifier: GraphClassifier, image: Path) -> tuple[float, Answer] | str:
    """Return (seconds, answer), or the reason why the picture could not be read."""
    try:
        data = image.read_bytes()
        begun = time.perf_counter()
        answer = classifier.classify(data)
    except ImageRejected as error:
        return str(error)
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    return time.perf_counter() - begun, answer


def _name(image: Path, found: tuple[float, Answer] | str, labels: list[str]) -> Named:
    if isinstance(found, str):
        return Named(image, 0.0, [], found)
    seconds, answer = found
    scores = answer.scores
    check_scores(scores, labels)
    order = np.argsort(-scores, kind="stable")[:BEST]
    return Named(image, seconds, [(labels[place], float(scores[place])) for place in order], reason=answer.reason)


def check_scores(scores: Scores, labels: list[str]) -> None:
    """Raise `LabelFailed` if there is not one score for each label."""
    if scores.shape != (len(labels),):
        raise LabelFailed(f"The graph returns {scores.size} scores, but there are {len(labels)} labels.")


def read_labels(flags: GraphFlags, classifier: GraphClassifier) -> list[str]:
    """Read the labels from the flag's file, the classifier itself, or a file within or beside it.

    Raise `LabelFailed`.
    """
    if flags.labels is None and classifier.labels is not None:
        return classifier.labels
    beside = [flags.graph.parent / name for name in LABEL_FILES]
    inside = [flags.graph / "assets" / name for name in LABEL_FILES]
    path = flags.labels or next((path for path in (*inside, *beside) if path.is_file()), None)
    if path is None:
        raise LabelFailed(f"There is no label file next to {flags.graph}. Give one: --labels=FILE")
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelFailed(f"The label file {path} cannot be read ({error}).") from None
