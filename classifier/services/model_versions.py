"""head -> model version -> alias: publishing what was trained, and choosing what answers."""

import hashlib
import json
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from classifier.models import Alias, DatasetVersion, Job, ModelVersion, Project
from classifier.models.alias import LIVE
from classifier.services.images import read_file
from classifier.services.jobs import finish_job
from classifier.storage import store_once
from worker.artifacts import Artifact, Evaluation, read_artifact, read_evaluation
from worker.backbones import get_backbone
from worker.config import TrainConfig
from worker.images import PREPROCESSING_VERSION
from worker.pipeline import Trained

RECIPE_VERSION = 1  # 1: the first. Raise it when the same config would train another head


def fingerprint(dataset_version: DatasetVersion, config: TrainConfig) -> str:
    """Equal where training again would give the same model version, bit for bit."""
    said: dict[str, Any] = {
        "dataset": dataset_version.digest,
        "config": config.as_dict(),
        "backbone": get_backbone(config.backbone).digest,
        "preprocessing": PREPROCESSING_VERSION,
        "recipe": RECIPE_VERSION,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def find_version(dataset_version: DatasetVersion, config: TrainConfig) -> ModelVersion | None:
    """The model version that this dataset version and config gave before."""
    known = ModelVersion.objects.filter(project=dataset_version.project_id)
    return known.filter(fingerprint=fingerprint(dataset_version, config)).first()


def publish_model_version(
    job: Job, dataset_version: DatasetVersion, config: TrainConfig, trained: Trained, **facts: Any
) -> ModelVersion:
    """Files first, then row, alias and the job's end in one transaction: a cancelled job publishes nothing."""
    for name, data in trained.files.items():
        store_once(f"artifacts/{trained.digest}/{name}", data)
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=job.project_id)
        last = project.model_versions.aggregate(n=Max("number"))["n"] or 0
        version = ModelVersion.objects.create(
            project=project,
            number=last + 1,
            dataset_version=dataset_version,
            job=job,
            backbone=config.backbone,
            config=config.as_dict(),
            fingerprint=fingerprint(dataset_version, config),
            artifact_digest=trained.digest,
            metrics=trained.metrics,
            created_by_id=job.created_by_id,
        )
        settle_alias(job, version)
        finish_job(job, model_version=version.number, **facts)
    return version


def settle_alias(job: Job, version: ModelVersion) -> None:
    """The first version of a project becomes live by itself, a later one where the user asked for that."""
    first = not Alias.objects.filter(project=version.project_id, name=LIVE).exists()
    if first or job.facts.get("promote"):
        promote(version, by=job.created_by)


def promote(version: ModelVersion, *, by: User | None) -> None:
    """Make this version the live one, for the next request in every process."""
    Alias.objects.update_or_create(
        project_id=version.project_id, name=LIVE, defaults={"model_version": version, "updated_by": by}
    )


def load_artifact(digest: str) -> Artifact:
    """Raises ArtifactCorrupt."""
    return read_artifact(digest, lambda name: read_file(f"artifacts/{digest}/{name}"))


def load_evaluation(digest: str) -> Evaluation:
    """Raises ArtifactCorrupt."""
    return read_evaluation(digest, lambda name: read_file(f"artifacts/{digest}/{name}"))
