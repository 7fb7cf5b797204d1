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
from ml.engines.embeddings import SideBySide, embed_pictures, embedding_key
from ml.engines.loading import ensure_ready, load_engine
from ml.images.augmentation import Augmentation
from ml.images.isolated import isolated_reader
from worker.chunks import cut_chunks
from worker.features import read_picture_file
from worker.measure import MeasuredPictures
from worker.members import split_by_missing, store_combined
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
    embeddings.count_reuse(sum(len(one.sha256s) for one in wanted), total)
    if not total:
        return False
    reporting.enter_stage(job, "prepare", total=1)
    for backbone in {one.backbone.digest: one.backbone for one, images in missing if images}.values():
        for one in (backbone, *(member.backbone for member in backbone.members_here)):
            ensure_ready(one, settings.ML.backbones_dir)
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
    _compute(job, backbone, images, augmentation)
    lifecycle.finish_job(job, EmbedResult(computed=len(images)))


def _compute(job: Job, backbone: Backbone, images: dict[str, Image], augmentation: Augmentation | None) -> None:
    throttle, stored = Throttle(), job.kept
    measured = MeasuredPictures(images) if augmentation is None else None
    with embeddings.unsynced_commits():
        for backbones, part in split_by_missing(backbone, list(images.values()), augmentation):
            sha256s, engine = [image.sha256 for image in part], SideBySide(engines_of(backbones))
            found = embed_pictures(sha256s, read_picture_file, engine, augmentation=augmentation, watch=measured)
            for batch, features in found:
                of_batch = [images[sha256] for sha256 in batch]
                for one, vectors in zip(backbones, engine.split(features), strict=True):
                    embeddings.store_embeddings(of_batch, vectors, embedding_key(one.digest, augmentation))
                if measured is not None:
                    measured.store()
                stored += len(batch)
                if throttle.due():
                    reporting.report(job, kept=stored)  # which finds out whether the job was cancelled
        store_combined(backbone, list(images.values()), augmentation)


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
    """Return this thread's engine of a backbone, which uses one core."""
    return engines_of([backbone])[0]


def engines_of(backbones: Sequence[Backbone]) -> list[Any]:
    """Return this thread's engines of some backbones. Each thread keeps those that were asked for last."""
    known = getattr(_held, "engines", {})
    _held.engines = {
        one.digest: known.get(one.digest) or load_engine(one, settings.ML.backbones_dir) for one in backbones
    }
    return [_held.engines[one.digest] for one in backbones]
