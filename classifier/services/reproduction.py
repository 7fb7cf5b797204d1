"""Pressing “Train it again and compare”: whether the inputs of a version are all there, and what came out."""

from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from classifier.jobs.kinds import REPRODUCE
from classifier.jobs.results import ReproduceResult
from classifier.jobs.sending import queue_job
from classifier.models import Job, ModelVersion, Project
from classifier.services.artifacts import load_artifact, load_evaluation
from classifier.services.custom_backbones import check_backbone, find_backbone
from classifier.services.dataset_restoring import count_purged
from classifier.services.model_versions import fingerprint_of, negative_classes_in_training
from ml.errors import Conflict
from ml.training.artifacts import Artifact, read_artifact, read_evaluation
from ml.training.config import parse_config
from ml.training.pipeline import IMPORTED, Trained


class NotReproducible(Conflict):
    """The version cannot be trained again. The message says why."""


def request_reproduction(version: ModelVersion, *, by: User) -> Job:
    """Queue the training, or return the job that is open already.

    Raise NotReproducible, ConfigError, TooManyJobs, DatasetCorrupt, OSError.
    """
    if version.config["recipe"] == IMPORTED:
        raise NotReproducible("This version was imported: it was trained elsewhere, and cannot be trained again here.")
    if purged := count_purged(version.dataset_version):
        pictures = "One picture" if purged == 1 else f"{purged:,} pictures"
        raise NotReproducible(f"{pictures} that it was made from have been deleted for good.")
    with transaction.atomic():
        check_backbone(parse_config(version.config), by)
        Project.objects.select_for_update().get(pk=version.project_id)  # two clicks at once are one training
        running = version.project.jobs.filter(kind=REPRODUCE.name, status__in=Job.OPEN, config__version=version.number)
        config = {**version.config, "version": version.number}
        return running.first() or queue_job(REPRODUCE, project=version.project, by=by, config=config)


def compare_with(version: ModelVersion, trained: Trained) -> ReproduceResult:
    """Compare what was trained again with the artifact of a version. Raise ArtifactCorrupt."""
    digest = version.artifact_digest
    old, new = load_artifact(digest), read_artifact(trained.digest, trained.files.__getitem__)
    before, after = load_evaluation(digest), read_evaluation(trained.digest, trained.files.__getitem__)
    identical = trained.digest == digest
    return ReproduceResult(
        reproduced=version.number,
        identical=identical,
        head_identical=_same(old.head.weights, new.head.weights) and _same(old.head.bias, new.head.bias),
        answers_identical=before.sha256s == after.sha256s and _same(before.probabilities, after.probabilities),
        metrics_identical=old.manifest.get("metrics") == new.manifest.get("metrics"),
        largest_difference=_largest_difference(old, new),
        digest=trained.digest,
        reasons=[] if identical else _list_reasons(old.manifest, new.manifest) or _tell_other_training(version),
    )


def _same(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.tobytes() == other.tobytes())


def _largest_difference(old: Artifact, new: Artifact) -> float | None:
    if old.head.weights.shape != new.head.weights.shape:
        return None
    return float(np.abs(old.head.weights - new.head.weights).max(initial=0))


# What may have changed in between, by where the manifest has it.
_REASONS = {
    ("format_version",): "The program writes its files in another format than it did then.",
    ("backbone", "digest"): "The backbone is another one than it was then.",
    ("backbone", "preprocessing_version"): "The program prepares pictures in another way than it did then.",
    ("config",): "The program has other settings than it had then.",
    ("classes",): "The classes are others than they were then.",
}
_OTHER_TRAINING = "The program trains in another way than it did then."


def _list_reasons(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [sentence for path, sentence in _REASONS.items() if _at(old, path) != _at(new, path)]


def _tell_other_training(version: ModelVersion) -> list[str]:
    """Tell that a recipe or a stage of the training is another one than it was, by the fingerprint of the inputs."""
    config, frozen = parse_config(version.config), version.dataset_version
    negative, backbone = negative_classes_in_training(version), find_backbone(config.backbone).digest
    now = fingerprint_of(frozen.digest, config, backbone=backbone, negative=negative)
    is_known = len(version.fingerprint) == len(now)  # others are of what was stopped, or came out otherwise once
    return [_OTHER_TRAINING] if is_known and version.fingerprint != now else []


def _at(manifest: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = manifest
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
