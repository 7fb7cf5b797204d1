"""answers to labelled pictures -> what is shown of them, computed once and kept.

There are two kinds of answers: those of a model version to its test pictures, and those of the last check to all
pictures of the project, each by a classifier that was trained without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from classifier.models import EvaluationSummary, ImageClass, ModelVersion, Project
from classifier.selectors import class_names
from classifier.services.artifacts import load_evaluation
from classifier.services.datasets import load_dataset
from ml.evaluation.curves import ClassCurve
from ml.evaluation.summary import SUMMARY_VERSION, Summary, draw_curves, summarise


@dataclass(frozen=True)
class Evaluated:
    """A summary, with the ids and names of the classes whose places it has."""

    summary: Summary
    classes: list[int]
    names: list[str]
    computed_at: datetime
    row: int

    def curve(self, place: int) -> ClassCurve:
        """Load the curve of a class."""
        curves = EvaluationSummary.objects.values_list("curves", flat=True).get(pk=self.row)
        return ClassCurve.model_validate(curves[place])


def evaluate_version(version: ModelVersion) -> Evaluated:
    """Return what the answers to the test pictures say. Raise ArtifactCorrupt, DatasetCorrupt, OSError."""
    kept = EvaluationSummary.objects.defer("curves").filter(model_version=version).first()
    if kept is None or (kept.digest, kept.format) != (version.artifact_digest, SUMMARY_VERSION):
        kept = _keep_version(version)
    return _evaluated(kept, class_names(version))


def _keep_version(version: ModelVersion) -> EvaluationSummary:
    found, dataset = load_evaluation(version.artifact_digest), load_dataset(version.dataset_version)
    groups = [dataset.groups.get(sha256, sha256) for sha256 in found.sha256s]
    kept, _ = EvaluationSummary.objects.update_or_create(
        model_version=version,
        defaults={
            "project_id": version.project_id,
            "digest": version.artifact_digest,
            "classes": [pk for pk, _ in version.dataset_version.classes],
            **compute(found.labels, found.probabilities, groups),
        },
    )
    return kept


def evaluate_all(project: Project) -> Evaluated | None:
    """Return what the last check's answers to all pictures say; None before the first check."""
    found = EvaluationSummary.objects.defer("curves").filter(project=project, model_version=None)
    kept = found.filter(format=SUMMARY_VERSION).first()
    if kept is None:
        return None
    names = dict(ImageClass.objects.filter(project=project, pk__in=kept.classes).values_list("pk", "name"))
    return _evaluated(kept, [names.get(pk, "a class that is gone") for pk in kept.classes])


def compute(labels: NDArray[np.int64], probabilities: NDArray[np.float32], groups: Sequence[str]) -> dict[str, object]:
    """Return what is kept of probabilities (N, C) beside labels (N,) and groups (N,); it takes up to seconds."""
    return {
        "format": SUMMARY_VERSION,
        "summary": summarise(labels, probabilities, groups).model_dump(mode="json"),
        "curves": [curve.model_dump(mode="json") for curve in draw_curves(labels, probabilities)],
    }


def keep_checked(project: Project, digest: str, classes: Sequence[int], computed: dict[str, object] | None) -> None:
    """Keep what was computed of a check's answers, or None where it had no two classes to choose from.

    Args:
        digest: of the audit's file.
        classes: their ids.
    """
    known = EvaluationSummary.objects.filter(project=project, model_version=None)
    if computed is None:
        known.delete()
        return
    defaults = {"digest": digest, "classes": list(classes), **computed}
    EvaluationSummary.objects.update_or_create(project=project, model_version=None, defaults=defaults)


def _evaluated(kept: EvaluationSummary, names: list[str]) -> Evaluated:
    return Evaluated(Summary.model_validate(kept.summary), kept.classes, names, kept.created_at, kept.pk)
