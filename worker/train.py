"""Train a model version from a project's samples."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from classifier.jobs import lifecycle
from classifier.jobs.kinds import EMBED, TrainResult
from classifier.models import DatasetVersion, Job
from classifier.services import datasets, embeddings, event_files, model_versions
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, TEST, TRAINING
from ml.engines.embeddings import embedding_key
from ml.engines.loading import ensure_ready
from ml.images.augmentation import Augmentation
from ml.training import pipeline
from ml.training.config import TrainConfig, parse_config
from ml.training.event_files import TrainingEventFiles
from worker.fine_tune import FineTuning
from worker.progress import Progress
from worker.throttle import Throttle

# Pictures of one embed job. Each job costs about 30 ms in addition to its pictures; the last ones are small, so that
# all workers end at about the same time.
MAX_CHUNK, MIN_CHUNK = 128, 8
CHUNKS_LEFT = 2 * settings.EMBED_WORKERS


def train(job: Job) -> None:
    """Train a model version, or find the one that is there already.

    The job runs more than once: it is claimed again after its embed jobs have ended, or after its worker has died.
    """
    config = parse_config(job.config)
    backbone = find_backbone(config.backbone)
    _fetch_weights(job, backbone)
    begun = time.monotonic()
    version = _freeze(job, config)
    known = model_versions.find_version(version, config)
    if known is not None:
        with transaction.atomic():
            model_versions.settle_alias(job, known)
            lifecycle.finish_job(job, TrainResult(model_version=known.number, unchanged=True))
        return
    dataset = datasets.load_dataset(version)
    if _embed_missing(job, backbone, dataset, config.augmentations):
        return  # the last of the embed jobs continues this job
    lifecycle.enter_stage(job, "load", total=1)
    features = _load(dataset, backbone, config.augmentations)
    progress = Progress(job)
    tuning = (
        FineTuning(job, version, dataset, backbone, config, features[TEST], progress) if config.fine_tuning else None
    )
    with _summaries_of(job) as written:
        trained = pipeline.train(dataset, features, config, backbone, progress, written, tuning)
    seconds = round(time.monotonic() - begun - (tuning.seconds if tuning else 0), 3)
    custom, measured = (tuning.custom, tuning.measured) if tuning else (None, {})
    model_versions.publish_model_version(
        job, version, config, trained, custom=custom, measured={"head_seconds": seconds, **measured}
    )


def _fetch_weights(job: Job, backbone: Backbone) -> None:
    """Download the weights if no package contains them and they are missing."""
    throttle = Throttle()

    def report(received: int, total: int) -> None:
        if job.stage != "fetch":
            lifecycle.enter_stage(job, "fetch", total=max(total // 2**20, 1))
        if throttle.due():
            lifecycle.report(job, done=received // 2**20, total=max(total // 2**20, 1))

    backbone.ensure_weights(report)


def _freeze(job: Job, config: TrainConfig) -> DatasetVersion:
    """Return the job's dataset version, which is frozen when the job first runs and stays the same."""
    frozen = lifecycle.read_state(job).dataset_version
    if frozen is not None:
        return DatasetVersion.objects.get(pk=frozen)
    lifecycle.enter_stage(job, "freeze", total=1)
    version = datasets.freeze_dataset_version(
        job.own_project,
        validation_percentage=config.validation_percentage,
        testing_percentage=config.testing_percentage,
        by=job.created_by,
    )
    lifecycle.update_state(job, dataset_version=version.pk)
    return version


def _embed_missing(job: Job, backbone: Backbone, dataset: Dataset, augmentations: list[Augmentation]) -> bool:
    """Queue the embeddings that have not been computed yet, and return whether there are any."""
    wanted = [(None, dataset.sha256s()), *((augmentation, dataset.sha256s(TRAINING)) for augmentation in augmentations)]
    missing = [
        (augmentation, embeddings.list_missing(sha256s, embedding_key(backbone.digest, augmentation)))
        for augmentation, sha256s in wanted
    ]
    total = sum(len(images) for _, images in missing)
    if not total:
        return False
    lifecycle.enter_stage(job, "prepare", total=1)
    ensure_ready(backbone, settings.ML.backbones_dir)
    with transaction.atomic():
        lifecycle.enter_stage(job, "embed", total=total)
        lifecycle.queue_children(job, EMBED, configs=list(_embed_configs(backbone, missing)))
        lifecycle.park_job(job)
    return True


def _embed_configs(
    backbone: Backbone, missing: list[tuple[Augmentation | None, list[int]]]
) -> Iterator[dict[str, Any]]:
    """Yield the configs of embed jobs, each for some plain pictures or for one augmented copy of some."""
    left = sum(len(images) for _, images in missing)
    for augmentation, images in missing:
        left -= len(images)
        augmented = {} if augmentation is None else {"augmentation": augmentation.as_dict()}
        for chunk in cut_chunks(images, after=left):
            yield {"backbone": backbone.name, "images": chunk, "units": len(chunk), **augmented}


def cut_chunks(images: list[int], *, after: int = 0) -> Iterator[list[int]]:
    """Yield the images in order, in chunks that shrink towards the end (guided self-scheduling, Polychronopoulos 1987).

    `after` is how many images follow in other lists, so that only the last list ends in small chunks.
    """
    start = 0
    while start < len(images):
        size = max(MIN_CHUNK, min(MAX_CHUNK, (len(images) - start + after) // CHUNKS_LEFT))
        yield images[start : start + size]
        start += size


def _load(dataset: Dataset, backbone: Backbone, augmentations: list[Augmentation]) -> dict[str, NDArray[np.float32]]:
    """Return the features of each split, as `pipeline.train` takes them."""
    plain = embedding_key(backbone.digest)
    keys = {TRAINING: [plain, *(embedding_key(backbone.digest, augmentation) for augmentation in augmentations)]}
    return {
        split: embeddings.load_embeddings(dataset.sha256s(split), keys.get(split, [plain]), backbone.features)
        for split in SPLITS
    }


@contextmanager
def _summaries_of(job: Job) -> Iterator[TrainingEventFiles]:
    """Provide event files that are stored however the training ends, because they show best what went wrong."""
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="summaries-") as folder:
        written = TrainingEventFiles(Path(folder))
        try:
            yield written
        finally:
            written.close()
            event_files.store_event_files(job, Path(folder))
