"""Compute and store the embeddings of pictures, or of augmented copies of them."""

import threading
from typing import Any

from django.conf import settings

from classifier.jobs import lifecycle
from classifier.jobs.kinds import EmbedResult
from classifier.models import Job
from classifier.services import embeddings
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embed_pictures, embedding_key
from ml.images.augmentation import Augmentation
from worker.features import read_picture_file
from worker.throttle import Throttle


def embed(job: Job) -> None:
    """Compute and store the embeddings of one chunk of pictures, except those that are stored already."""
    backbone = find_backbone(job.config["backbone"])
    backbone.ensure_weights()  # this may be another machine than the one that fetched them
    augmentation = Augmentation(**job.config["augmentation"]) if "augmentation" in job.config else None
    key = embedding_key(backbone.digest, augmentation)
    images = {image.sha256: image for image in embeddings.list_images_without(job.config["images"], key)}
    throttle = Throttle()
    for batch, vectors in embed_pictures(
        list(images), read_picture_file, engine_of(backbone), augmentation=augmentation
    ):
        embeddings.store_embeddings([images[sha256] for sha256 in batch], vectors, key)
        if throttle.due():
            lifecycle.beat(job)  # which finds out whether the job was cancelled
    lifecycle.finish_job(job, EmbedResult(computed=len(images)))


_held = threading.local()  # in a worker one thread does all the work; a command may have several


def engine_of(backbone: Backbone) -> Any:
    """Return this thread's engine, which uses one core. Each thread keeps one backbone at a time."""
    if getattr(_held, "digest", None) != backbone.digest:
        from ml.engines.loading import load_engine

        _held.engine, _held.digest = load_engine(backbone, settings.ML.backbones_dir), backbone.digest
    return _held.engine
