"""Implement `evaluate`: measure how good a graph is on a folder's test pictures, with the same split as `retrain`."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ml.cli.classifiers import GraphFlags, LabelFailed, Scores, load_classifier
from ml.cli.console import Console
from ml.cli.labelling import check_scores, check_size, read_labels
from ml.cli.photos import Photo, Photos, list_photos, split_photos
from ml.datasets.splits import TEST
from ml.images.decoding import ImageRejected, verify_image
from ml.machine import CORES
from ml.settings import MLSettings
from ml.training.evaluation import wilson_interval

SMALLEST = 1e-38  # of a probability, before its logarithm


class EvaluateFlags(GraphFlags, Protocol):
    """The values that the flags of `add_evaluate_flags` have."""

    image_dir: Path
    testing_percentage: int
    validation_percentage: int


@dataclass(frozen=True)
class GraphMetrics:
    """The metrics of a graph on the test pictures."""

    pictures: int
    accuracy: float
    interval: tuple[float, float]  # 95 %, by Wilson
    cross_entropy: float  # nats, in the mean


def evaluate_graph(flags: EvaluateFlags, settings: MLSettings, console: Console) -> GraphMetrics:
    """Evaluate the graph that the flags name. Raise `LabelFailed`, `BadPhotos` or `ArchiveRejected`."""
    check_size(flags)
    photos = list_photos(flags.image_dir, console.warn)
    chosen = _test_photos(flags, _list_readable(photos, console))
    classifier = load_classifier(flags, settings, threads=1)
    labels = read_labels(flags, classifier)
    places = _places(photos.labels, labels)

    def ask(photo: Photo) -> Scores | ImageRejected:
        try:
            return classifier.classify(photos.read(photo)).scores
        except ImageRejected as error:
            return error

    right, entropies = [], []
    with ThreadPoolExecutor(CORES) as pool:
        for number, (photo, scores) in enumerate(zip(chosen, pool.map(ask, chosen), strict=True), start=1):
            console.progress("Pictures", number, len(chosen))
            if isinstance(scores, ImageRejected):
                console.warn(f"{photo.name}: {scores}")
                continue
            check_scores(scores, labels)
            place = places[photo.label]
            right.append(int(scores.argmax()) == place)
            entropies.append(-np.log(max(float(scores[place]), SMALLEST)))
    classifier.remember()
    return _result(right, entropies)


def _result(right: list[bool], entropies: list[float]) -> GraphMetrics:
    if not right:
        raise LabelFailed("None of the test pictures could be read.")
    interval = wilson_interval(sum(right), len(right))
    return GraphMetrics(len(right), float(np.mean(right)), interval, float(np.mean(entropies)))


def _test_photos(flags: EvaluateFlags, readable: list[Photo]) -> list[Photo]:
    splits = split_photos(
        readable,
        validation_percentage=flags.validation_percentage,
        testing_percentage=flags.testing_percentage,
    )
    return [photo for photo in readable if splits[photo.sha256] == TEST]


def _list_readable(photos: Photos, console: Console) -> list[Photo]:
    """List the photos that are readable pictures; as in `retrain`, others have no part in the split."""

    def look(photo: Photo) -> str:
        try:
            verify_image(photos.read(photo))
        except ImageRejected as error:
            return f"{photo.name}: {error}"
        return ""

    readable = []
    with ThreadPoolExecutor(CORES) as pool:
        for number, (photo, said) in enumerate(zip(photos.photos, pool.map(look, photos.photos), strict=True), start=1):
            console.progress("Photos checked", number, len(photos.photos))
            if said:
                console.warn(said)
            else:
                readable.append(photo)
    return readable


def _places(classes: list[str], labels: list[str]) -> list[int]:
    """Return the position of each class folder among the labels of the graph. Raise `LabelFailed` if one is missing."""
    known = {_in_a_line(label): place for place, label in enumerate(labels)}
    # The original wrote labels in small letters, with spaces for all that was neither letter nor digit.
    original = {_as_the_original(label): place for place, label in enumerate(labels)}
    found = [known.get(_in_a_line(name), original.get(_as_the_original(name))) for name in classes]
    missing = [name for name, place in zip(classes, found, strict=True) if place is None]
    if missing:
        raise LabelFailed(f"The graph has no label {missing[0]!r}, although there is a folder of that name.")
    return [place for place in found if place is not None]


def _in_a_line(label: str) -> str:
    """Return the label as it is written in label files."""
    return " ".join(label.split())


def _as_the_original(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip() or name
