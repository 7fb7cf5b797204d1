"""Compute and store the embeddings of pictures, or of augmented copies of them."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.kinds import EMBED
from classifier.jobs.log import WARNING, write_line
from classifier.jobs.results import EmbedResult
from classifier.models import Image, Job
from classifier.services import embeddings
from classifier.services.custom_backbones import find_backbone
from classifier.services.images import set_aside
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import TRAINING
from ml.engines.embeddings import embed_pictures, embedding_key
from ml.engines.loading import ensure_ready, load_engine
from ml.images.augmentation import Augmentation
from ml.images.isolated import isolated_reader
from worker.chunks import cut_chunks
from worker.features import read_picture_file
from worker.measure import MeasuredPictures
from worker.throttle import Throttle

MAX_CHUNK, MIN_CHUNK = 128, 8  # pictures of one job, which costs about 30 ms in addition to them


def queue_embedding(job: Job, backbone: Backbone, dataset: Dataset, augmentations: list[Augmentation]) -> bool:
    """Queue the embeddings of a dataset that have not been computed yet, and return whether there are any."""
    copies = (WantedEmbeddings(backbone, dataset.sha256s(TRAINING), augmentation) for augmentation in augmentations)
    wanted = [WantedEmbeddings(backbone, dataset.sha256s()), *copies]
    return queue_missing(job, wanted, stage="embed_copies" if augmentations else "embed_more")


class WantedEmbeddings(NamedTuple):
    """Embeddings by one backbone: of pictures, or of one augmented copy of each."""

    backbone: Backbone
    sha256s: Sequence[str]
    augmentation: Augmentation | None = None

    @property
    def key(self) -> str:
        return embedding_key(self.backbone.digest, self.augmentation)


def queue_missing(job: Job, wanted: Sequence[WantedEmbeddings], *, stage: str) -> bool:
    """Queue those of the wanted embeddings that are not computed yet. Return whether there are any."""
    missing = [(one, embeddings.list_missing(one.sha256s, one.key)) for one in wanted]
    total = sum(len(images) for _, images in missing)
    if not total:
        return False
    reporting.enter_stage(job, "prepare", total=1)
    for backbone in {one.backbone.digest: one.backbone for one, images in missing if images}.values():
        ensure_ready(backbone, settings.ML.backbones_dir)
    with transaction.atomic():
        reporting.enter_stage(job, stage, total=total)
        sending.queue_children(job, EMBED, configs=list(_embed_configs(missing)))
        lifecycle.park_job(job)
    return True


def _embed_configs(missing: Sequence[tuple[WantedEmbeddings, list[int]]]) -> Iterator[dict[str, Any]]:
    """Yield the configs of embed jobs, each for one backbone, and for plain pictures or one augmented copy of each."""
    left = sum(len(images) for _, images in missing)
    for (backbone, _, augmentation), images in missing:
        left -= len(images)
        augmented = {} if augmentation is None else {"augmentation": augmentation.as_dict()}
        for chunk in cut_chunks(images, least=MIN_CHUNK, most=MAX_CHUNK, after=left):
            yield {"backbone": backbone.name, "images": chunk, "units": len(chunk), **augmented}


def embed(job: Job) -> None:
    """Compute and store the embeddings of one chunk of pictures, except those that are stored already."""
    backbone = find_backbone(job.config["backbone"])
    backbone.ensure_weights()  # this may be another machine than the one that fetched them
    augmentation = Augmentation(**job.config["augmentation"]) if "augmentation" in job.config else None
    key = embedding_key(backbone.digest, augmentation)
    images = {image.sha256: image for image in embeddings.list_images_without(job.config["images"], key)}
    if job.worker_deaths:
        _set_aside_what_crashes(job, images)
    throttle, stored = Throttle(), job.kept
    measured = MeasuredPictures() if augmentation is None else None
    with embeddings.unsynced_commits():
        for batch, vectors in embed_pictures(
            list(images), read_picture_file, engine_of(backbone), augmentation=augmentation, watch=measured
        ):
            embeddings.store_embeddings([images[sha256] for sha256 in batch], vectors, key)
            if measured is not None:
                measured.store(images)
            stored += len(batch)
            if throttle.due():
                reporting.report(job, kept=stored)  # which finds out whether the job was cancelled
    lifecycle.finish_job(job, EmbedResult(computed=len(images)))


def _set_aside_what_crashes(job: Job, images: dict[str, Image]) -> None:
    """Set aside the pictures that end a process of their own: one of them may be what a worker died of."""
    with isolated_reader() as reader:
        for sha256, image in list(images.items()):
            if reader.crashes(read_picture_file(sha256)):
                set_aside(image)
                del images[sha256]
                write_line(job, "A picture crashes the program that reads it, so it is left out.", WARNING)


_held = threading.local()  # in a worker one thread does all the work; a command may have several


def engine_of(backbone: Backbone) -> Any:
    """Return this thread's engine, which uses one core. Each thread keeps one backbone at a time."""
    if getattr(_held, "digest", None) != backbone.digest:
        _held.engine, _held.digest = load_engine(backbone, settings.ML.backbones_dir), backbone.digest
    return _held.engine
