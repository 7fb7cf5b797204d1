"""head -> model version -> alias: publishing what was trained, and choosing what answers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from classifier.jobs.lifecycle import finish_job
from classifier.jobs.results import TrainResult, VersionResult
from classifier.jobs.state import read_state
from classifier.models import Alias, CustomBackbone, DatasetVersion, ImageClass, Job, ModelVersion, Project
from classifier.models.alias import LIVE
from classifier.services.artifacts import artifact_path, load_artifact, load_evaluation
from classifier.services.audit_log import record
from classifier.services.custom_backbones import FIELDS_OF_OPENED, find_backbone
from classifier.services.quality_gate import check_version, list_failures
from classifier.storage import store_once
from ml.images.augmentation import AUGMENTATION_VERSION
from ml.images.decoding import PREPROCESSING_VERSION
from ml.training.artifacts import FORMAT_VERSION, ArtifactCorrupt
from ml.training.config import TrainConfig
from ml.training.fine_tuning import TUNING_VERSION
from ml.training.pipeline import IMPORTED, Trained
from ml.training.recipes.registry import RECIPES

log = structlog.get_logger(__name__)


def fingerprint(dataset_version: DatasetVersion, config: TrainConfig) -> str:
    """Return a digest that is equal if training again would give the same model version, bit for bit."""
    backbone = find_backbone(config.backbone).digest
    return fingerprint_of(dataset_version.digest, config, backbone=backbone, negative=negative_classes(dataset_version))


def fingerprint_of(dataset: str, config: TrainConfig, *, backbone: str, negative: Sequence[int]) -> str:
    """Return the fingerprint of what was trained on a dataset and a backbone with these digests.

    `negative` are the ids of the classes that mean “none of these”, rising.
    """
    said: dict[str, Any] = {
        "dataset": dataset,
        "config": config.as_dict(),
        "backbone": backbone,
        "preprocessing": PREPROCESSING_VERSION,
        "recipe": RECIPES[config.recipe].version,
    }
    said["artifact"] = FORMAT_VERSION
    if negative:
        said["negative"] = list(negative)
    if config.augmentations:
        said["distortions"] = AUGMENTATION_VERSION
    if config.fine_tuning:
        said["tuning"] = TUNING_VERSION
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def fingerprint_of_import(dataset: str, backbone: str) -> str:
    """Return the fingerprint of an imported classifier: of its dataset's digest and its network's name."""
    return hashlib.sha256(f"imported {dataset} {backbone}".encode()).hexdigest()


def negative_classes(dataset_version: DatasetVersion) -> list[int]:
    """List the ids of its classes that mean “none of these”."""
    ids = [pk for pk, _ in dataset_version.classes or ()]
    negative = ImageClass.objects.filter(project=dataset_version.project_id, is_negative=True, pk__in=ids)
    return sorted(negative.values_list("pk", flat=True))


def negative_classes_in_training(version: ModelVersion) -> list[int]:
    """List the ids of the classes that meant “none of these” when the version was trained."""
    artifact = load_artifact(version.artifact_digest)
    return [artifact.classes[place][0] for place in artifact.rejection.others]


def find_version(dataset_version: DatasetVersion, config: TrainConfig) -> ModelVersion | None:
    """Return the model version that this dataset version and config gave before; None if its artifact is not whole."""
    known = _find_fingerprint(dataset_version.project_id, fingerprint(dataset_version, config))
    return known if known and is_whole(known) else None


def _find_fingerprint(project: int, made: str) -> ModelVersion | None:
    return ModelVersion.objects.filter(project=project, fingerprint=made).first()


def is_whole(version: ModelVersion) -> bool:
    """Return whether the version's artifact can be read."""
    try:
        load_artifact(version.artifact_digest)
        load_evaluation(version.artifact_digest)
    except ArtifactCorrupt as error:
        log.warning("artifact_damaged", version=version.pk, error=str(error))
        return False
    return True


def publish_model_version(
    job: Job,
    dataset_version: DatasetVersion,
    config: TrainConfig,
    trained: Trained,
    *,
    custom: CustomBackbone | None = None,
    measured: dict[str, float],
    stopped: bool = False,
) -> ModelVersion:
    """Store the files, then the row, the alias and the job's end in one transaction.

    A cancelled job publishes nothing. Where the artifact of an earlier version was damaged and is whole now, that is
    the version. `custom` is the version's own backbone if it was fine-tuned; its files are stored already. `measured`
    are seconds and rates. What was `stopped` before its end is not what the same settings give, and not found as such.
    """
    _store_artifact(trained)
    with transaction.atomic():
        if custom is not None:
            custom.save()
        made = f"stopped {job.pk}" if stopped else fingerprint(dataset_version, config)
        backbone = custom.name if custom else config.backbone
        if stopped:
            trained = replace(trained, metrics={**trained.metrics, "stopped_early": True})
        version = _restored_version(dataset_version.project_id, made, trained) or _create_version(
            dataset_version, config.as_dict(), made, trained, backbone, job=job, by=job.created_by
        )
        not_live = settle_alias(job, version)
        result = TrainResult(model_version=version.number, stopped_early=stopped, not_live=not_live)
        finish_job(job, result, measured=measured)
    return version


def _restored_version(project: int, made: str, trained: Trained) -> ModelVersion | None:
    """Return the version whose artifact has been made again.

    If it came out otherwise, as after an upgrade of a library, the old version keeps its number and gives up its
    fingerprint; the new one becomes a version of its own.
    """
    known = _find_fingerprint(project, made)
    if known is not None and known.artifact_digest != trained.digest:
        ModelVersion.objects.filter(pk=known.pk).update(fingerprint=f"superseded {known.pk}")
        return None
    return known


@transaction.atomic
def publish_candidate(
    dataset_version: DatasetVersion, config: TrainConfig, trained: Trained, *, by: User | None, promote: bool
) -> ModelVersion:
    """Publish what was trained already as `publish_model_version` does, without a job."""
    _store_artifact(trained)
    made = fingerprint(dataset_version, config)
    version = _restored_version(dataset_version.project_id, made, trained) or _create_version(
        dataset_version, config.as_dict(), made, trained, config.backbone, job=None, by=by
    )
    _settle_alias(version, by=by, wanted=promote)
    return version


def publish_import(
    job: Job, dataset_version: DatasetVersion, custom: CustomBackbone, trained: Trained, *, pictures: dict[str, Any]
) -> ModelVersion:
    """Publish an imported classifier in the same way. The same file again gives the existing version.

    It becomes live only if the user asked for that. `pictures` says how it sees pictures: its range, how that was found
    out, its framing and its size.
    """
    _store_artifact(trained)
    made = fingerprint_of_import(dataset_version.digest, custom.name)
    config = {"recipe": IMPORTED, "backbone": custom.name, "source": custom.source, "pictures": pictures}
    with transaction.atomic():
        custom.save(update_fields=FIELDS_OF_OPENED)
        known = _restored_version(dataset_version.project_id, made, trained)
        version = known or _create_version(
            dataset_version, config, made, trained, custom.name, job=job, by=job.created_by
        )
        not_live = (list_failures(check_version(version)) or None) if read_state(job).promote else None
        if read_state(job).promote and not not_live:
            promote(version, by=job.created_by)
        found = VersionResult(model_version=version.number, unchanged=known is not None, not_live=not_live)
        finish_job(job, found)
    return version


def _store_artifact(trained: Trained) -> None:
    for name, data in trained.files.items():
        store_once(artifact_path(trained.digest, name), data)


def _create_version(
    dataset_version: DatasetVersion,
    config: dict[str, Any],
    made: str,
    trained: Trained,
    backbone: str,
    *,
    job: Job | None,
    by: User | None,
) -> ModelVersion:
    """Create the version with the next number. Call it in a transaction."""
    project = Project.objects.select_for_update().get(pk=dataset_version.project_id)
    last = ModelVersion.every.filter(project=project).aggregate(n=Max("number"))["n"] or 0
    return ModelVersion.objects.create(
        project=project,
        number=last + 1,
        dataset_version=dataset_version,
        job=job,
        backbone=backbone,
        config=config,
        fingerprint=made,
        artifact_digest=trained.digest,
        metrics=trained.metrics,
        created_by=by,
    )


def settle_alias(job: Job, version: ModelVersion) -> list[str] | None:
    """Make the version live if it is the project's first one, if the user asked for that, or if the live is damaged.

    Return why the quality gate keeps it from that, in sentences; None where it does not. Instead of a version that
    cannot answer at all, any is better.
    """
    return _settle_alias(version, by=job.created_by, wanted=read_state(job).promote)


def _settle_alias(version: ModelVersion, *, by: User | None, wanted: bool) -> list[str] | None:
    live = ModelVersion.objects.filter(aliases__name=LIVE, project=version.project_id).first()
    is_damaged = live is not None and live != version and not is_whole(live)
    if not (live is None or is_damaged or wanted):
        return None
    failures = [] if is_damaged or live == version else list_failures(check_version(version))
    if failures:
        return failures
    promote(version, by=by)
    return None


def promote(version: ModelVersion, *, by: User | None) -> None:
    """Make this version the live one, for the next request in every process."""
    Alias.objects.update_or_create(
        project_id=version.project_id, name=LIVE, defaults={"model_version": version, "updated_by": by}
    )
    record("version.promoted", version.project, by=by, version=version.number)


def describe_version(
    version: ModelVersion, *, name: str | None = None, note: str | None = None, pinned: bool | None = None
) -> None:
    """Change what people say of a version; None leaves it as it is."""
    said = {"name": _one_line(name), "note": _storable(note), "pinned": pinned}
    changed = {field: value for field, value in said.items() if value is not None}
    for field, value in changed.items():
        setattr(version, field, value)
    if changed:
        version.save(update_fields=list(changed))


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join((_storable(text) or "").split())


def _storable(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "\ufffd").strip()
