"""The pictures behind the figures of an evaluation: mistakes, hits, and the cells of the confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from django.db.models import F, QuerySet
from numpy.typing import NDArray

from classifier.models import ModelVersion, Project, Sample
from classifier.sample_filters import SampleFilter, select_samples
from classifier.selectors import samples_of_images
from classifier.services.artifacts import load_evaluation
from ml.training.artifacts import Evaluation

Source = Literal["test", "all"]


@dataclass(frozen=True)
class Wanted:
    """Which pictures: those that were answered wrongly, rightly, or as a cell of the confusion matrix says.

    Attributes:
        right: whether the answer is right; the mistakes begin with the most confident, the hits with the least.
        true, predicted: the ids of the classes of a cell, None for all.
    """

    of: Source
    right: bool
    true: int | None = None
    predicted: int | None = None

    def as_filter(self, version: ModelVersion) -> SampleFilter:
        """Return what finds the same pictures in the grid."""
        cell = {"class_id": self.true, "predicted": self.predicted}
        if self.of == "all":
            return SampleFilter(checked="right" if self.right else "wrong", sort="sure", **cell)
        return SampleFilter(**{"right" if self.right else "wrong": version.number}, **cell)


@dataclass(frozen=True)
class Judged:
    """A picture, the class that it had when it was answered, and the answer. `sample` is None where it has gone."""

    sha256: str
    sample: Sample | None
    true: int
    predicted: int
    probability: float


def page_of_judged(version: ModelVersion, wanted: Wanted, *, offset: int, size: int) -> tuple[list[Judged], int]:
    """Return a page of pictures, and how many there are in all. Raise ArtifactCorrupt."""
    if wanted.of == "all":
        return _page_of_checked(version.project, version, wanted, offset, size)
    found = load_evaluation(version.artifact_digest)
    classes = [pk for pk, _ in version.dataset_version.classes]
    order = _order(found, classes, wanted)
    return _present(version.project, found, order[offset : offset + size], classes), len(order)


def _order(found: Evaluation, classes: Sequence[int], wanted: Wanted) -> NDArray[np.intp]:
    """Return the rows that are wanted, the worst first."""
    predicted, confidence = found.probabilities.argmax(axis=1), found.probabilities.max(axis=1, initial=0)
    chosen = (predicted == found.labels) == wanted.right
    for asked, places in ((wanted.true, found.labels), (wanted.predicted, predicted)):
        if asked is not None:
            chosen &= places == (classes.index(asked) if asked in classes else -1)
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(confidence[rows] if wanted.right else -confidence[rows], kind="stable")]


def _present(project: Project, found: Evaluation, rows: NDArray[np.intp], classes: Sequence[int]) -> list[Judged]:
    sha256s = [found.sha256s[row] for row in rows]
    there = {sample.image.sha256: sample for sample in samples_of_images(project, sha256s)}
    predicted = found.probabilities[rows].argmax(axis=1)
    return [
        Judged(
            sha256,
            there.get(sha256),
            classes[found.labels[row]],
            classes[answer],
            float(found.probabilities[row, answer]),
        )
        for sha256, row, answer in zip(sha256s, rows, predicted, strict=True)
    ]


def _page_of_checked(
    project: Project, version: ModelVersion, wanted: Wanted, offset: int, size: int
) -> tuple[list[Judged], int]:
    """Return a page of what the last check answered, with the classes that pictures have today."""
    found: QuerySet[Sample] = select_samples(project, wanted.as_filter(version)).select_related(
        "image", "image_class", "audit"
    )
    order = F("audit__confidence")
    rows = found.order_by(order.asc() if wanted.right else order.desc(), "pk")[offset : offset + size]
    return [_judge(sample) for sample in rows], found.count()


def _judge(sample: Sample) -> Judged:
    answer = sample.audit
    return Judged(
        sample.image.sha256, sample, sample.image_class_id or 0, answer.predicted_class_id or 0, answer.confidence or 0
    )
