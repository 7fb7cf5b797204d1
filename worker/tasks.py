"""The Celery side: fetch rows, claim, call, record. The only file of `worker/` that knows Django and Celery.

There is one task, `run_job`: the job's row says what is to be done. Whatever the broker does - lose a message,
deliver it twice, deliver it late - the claim decides who works.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery import shared_task, signals
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction

from classifier.models import DatasetVersion, Image, Job
from classifier.services import datasets, embeddings, jobs, model_versions, sample_sets, uploads
from classifier.services.images import read_picture
from classifier.storage import local_copy
from worker.archives import ArchiveRejected, walk_archive
from worker.backbones import Backbone, get_backbone
from worker.backbones.convert import ConversionFailed, ensure_tflite
from worker.backbones.speed import ensure_speed
from worker.config import TrainConfig, parse_config
from worker.embeddings import embed_pictures, embedding_key
from worker.head import EmptySplit, TrainingDiverged

log = structlog.get_logger(__name__)

BEAT_SECONDS = 2.0
REPORT_SECONDS = 0.25  # between two writes of progress: a bar needs no more, a database wants no more
# Pictures of one embed job. The last ones are small, so that all workers end at about the same time.
LARGEST_CHUNK, SMALLEST_CHUNK, CHUNKS_LEFT = 64, 8, 8


class PictureMissing(Exception):
    """The message is a sentence for the user."""


# Errors whose message was written for the user. Everything else is our fault and says so.
SENTENCES = (
    ArchiveRejected,
    ConversionFailed,
    EmptySplit,
    TrainingDiverged,
    PictureMissing,
    embeddings.EmbeddingsMissing,
    sample_sets.DownloadFailed,
    datasets.DatasetCorrupt,
)


@shared_task(name="worker.run_job")
def run_job(pk: int) -> None:
    """Work on a job until it ends, or waits for its children, or is no longer ours."""
    close_old_connections()
    job = jobs.claim_job(pk)
    if job is None:
        return  # cancelled, ended, or somebody else has it
    try:
        with _heartbeat(job):
            HANDLERS[Job.Kind(job.kind)](job)
    except jobs.LeaseLost:
        log.info("job_let_go", job=pk)
    except SENTENCES as error:
        jobs.fail_job(pk, sentence=str(error), error=error, lease=job.lease)
    except MemoryError as error:
        sentence = "There was not enough memory for this. Close other programs, or use a machine with more memory."
        jobs.fail_job(pk, sentence=sentence, error=error, lease=job.lease)
    except Exception as error:
        sentence = (
            f"Something went wrong on our side ({type(error).__name__}). Starting it again may help; "
            f"the administrator finds the details with “python manage.py show_job {pk}”."
        )
        jobs.fail_job(pk, sentence=sentence, error=error, lease=job.lease)


@signals.task_failure.connect(sender=run_job)
def free_lease_of_killed_child(args: Any = (), exception: Any = None, **_: Any) -> None:
    """A killed child cannot run its own `except`: its parent process sees it die and frees the lease."""
    if isinstance(exception, WorkerLostError):
        for job in Job.objects.filter(pk=args[0], status=Job.Status.RUNNING).exclude(lease=""):
            jobs.release_lease(job)
        connection.close()  # the parent forks children, and a connection must not be inherited


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """Signs of life from a thread, so that a long step (importing TensorFlow) is not taken for death."""
    stop = threading.Event()

    def tell() -> None:
        while not stop.wait(BEAT_SECONDS):
            try:
                jobs.beat(job)
            except jobs.LeaseLost:
                break  # the work finds out at its next report
            except DatabaseError as error:
                log.warning("heartbeat_failed", job=job.pk, error=str(error))
        connection.close()

    teller = threading.Thread(target=tell, name=f"heartbeat-{job.pk}", daemon=True)
    teller.start()
    try:
        yield
    finally:
        stop.set()
        teller.join()


class _Throttle:
    """Lets a write through every REPORT_SECONDS."""

    def __init__(self) -> None:
        self.last = 0.0

    def due(self) -> bool:
        if time.monotonic() - self.last < REPORT_SECONDS:
            return False
        self.last = time.monotonic()
        return True


# --- ingest -------------------------------------------------------------------------------------------


def ingest(job: Job) -> None:
    """Read an archive or a sample set into samples. After a worker's death it goes on where the report ends."""
    if job.config.get("sample_set") == sample_sets.DIGITS:
        _take_in(job, sample_sets.draw_digits(), stage="read", total=1797)
    elif job.config.get("sample_set") == sample_sets.FLOWERS:
        _ingest_flowers(job)
    else:
        _ingest_archive(job, job.config["archive"])
    jobs.finish_job(job)


def _ingest_flowers(job: Job) -> None:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        jobs.enter_stage(job, "download", total=1)
        throttle = _Throttle()

        def report(received: int, total: int) -> None:
            if throttle.due():
                jobs.report(job, done=received // 2**20, total=max(total // 2**20, 1))

        path = sample_sets.download_flowers(Path(folder), report)
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, iter(walk), stage="read_download", total=walk.total or 0)


def _ingest_archive(job: Job, stored: str) -> None:
    with local_copy(stored, suffix=Path(job.config["name"]).suffix) as path:
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, iter(walk), stage="read", total=walk.total or 0)


def _take_in(job: Job, entries: Iterator[Any], *, stage: str, total: int) -> None:
    jobs.enter_stage(job, stage, total=total)
    if stage.startswith("read") and not total:
        raise ArchiveRejected("There are no files in this archive.")
    done = job.upload.items.count()  # of a worker that died half-way: entries come in the same order again
    for items in uploads.add_entries(job.upload, islice(entries, done, None)):
        done += len(items)
        jobs.report(job, done=done, total=max(total, done))


# --- train --------------------------------------------------------------------------------------------


def train(job: Job) -> None:
    """From samples to a model version. Claimed again after its embed jobs ended, or its worker died."""
    config = parse_config(job.config)
    begun = time.monotonic()
    version = _freeze(job, config)
    known = model_versions.find_version(version, config)
    if known is not None:
        with transaction.atomic():
            model_versions.settle_alias(job, known)
            jobs.finish_job(job, model_version=known.number, unchanged=True)
        return
    backbone = get_backbone(config.backbone)
    dataset = datasets.load_dataset(version)
    if _embed_missing(job, backbone, [row[0] for row in dataset.rows]):
        return  # the last of the embed jobs sends this job on
    jobs.enter_stage(job, "load", total=1)
    key = embedding_key(backbone.digest)
    features = embeddings.load_embeddings([row[0] for row in dataset.rows], key, backbone.features)
    from worker import pipeline

    trained = pipeline.train(dataset, features, config, _reporter(job))
    seconds = round(time.monotonic() - begun, 3)
    model_versions.publish_model_version(job, version, config, trained, head_seconds=seconds)


def _freeze(job: Job, config: TrainConfig) -> DatasetVersion:
    """The job's dataset version: frozen when it first runs, the same one ever after."""
    if "dataset_version" in job.facts:
        return DatasetVersion.objects.get(pk=job.facts["dataset_version"])
    jobs.enter_stage(job, "freeze", total=1)
    version = datasets.freeze_dataset_version(
        job.project,
        validation_percentage=config.validation_percentage,
        testing_percentage=config.testing_percentage,
        by=job.created_by,
    )
    jobs.report(job, facts={**job.facts, "dataset_version": version.pk, "dataset_number": version.number})
    return version


def _embed_missing(job: Job, backbone: Backbone, sha256s: list[str]) -> bool:
    """Queue the embeddings that nobody has computed yet; True where there are any."""
    missing = embeddings.list_missing(sha256s, embedding_key(backbone.digest))
    if not missing:
        return False
    jobs.enter_stage(job, "prepare", total=1)
    ensure_speed(ensure_tflite(backbone, settings.BACKBONE_DIR))
    with transaction.atomic():
        jobs.enter_stage(job, "embed", total=len(missing))
        configs = [{"backbone": backbone.name, "images": chunk, "units": len(chunk)} for chunk in cut_chunks(missing)]
        jobs.queue_children(job, kind=Job.Kind.EMBED, configs=configs)
        jobs.park_job(job)
    return True


def cut_chunks(images: list[int]) -> Iterator[list[int]]:
    """The images in order, in parts that shrink towards the end (guided self-scheduling, Polychronopoulos 1987)."""
    start = 0
    while start < len(images):
        size = max(SMALLEST_CHUNK, min(LARGEST_CHUNK, (len(images) - start) // CHUNKS_LEFT))
        yield images[start : start + size]
        start += size


def _reporter(job: Job) -> Callable[..., None]:
    """report(stage, fraction, **point) -> rows: each stage entered once, points gathered, writes throttled."""
    throttle = _Throttle()
    curve: list[dict[str, float]] = []

    def report(stage: str, fraction: float, **point: float) -> None:
        if stage != job.stage:
            jobs.enter_stage(job, stage, total=1000)
        if point:
            curve.append(point)
        if throttle.due() or fraction >= 1:
            jobs.report(job, done=int(fraction * 1000), curve=_thin(curve))

    return report


def _thin(curve: list[dict[str, float]], most: int = 400) -> list[dict[str, float]]:
    """At most so many points, evenly, the last among them: ten thousand steps are still one small row."""
    stride = -(-len(curve) // most) or 1
    kept = curve[::stride]
    return kept if not curve or kept[-1] is curve[-1] else [*kept, curve[-1]]


# --- embed --------------------------------------------------------------------------------------------


def embed(job: Job) -> None:
    """One chunk of pictures to stored embeddings; those that are there already are not computed again."""
    backbone = get_backbone(job.config["backbone"])
    key = embedding_key(backbone.digest)
    images = embeddings.list_images_without(job.config["images"], key)
    for batch, vectors in embed_pictures(images, _read, _engine(backbone)):
        embeddings.store_embeddings(batch, vectors, key)
        jobs.beat(job)
    jobs.finish_job(job, computed=len(images), units=job.config["units"])


def _read(image: Image) -> bytes:
    try:
        return read_picture(image)
    except OSError as error:
        if not Image.objects.filter(pk=image.pk).exists():
            raise embeddings.EmbeddingsMissing(embeddings.GONE) from error
        raise PictureMissing(
            f"The file of the picture {image.sha256[:12]}… is missing from the storage ({error.strerror}). "
            "Upload it again, or delete it from the project."
        ) from error


_engines: dict[str, Any] = {}


def _engine(backbone: Backbone) -> Any:
    """This process's engine: one backbone at a time, one thread, as there is a process for each core."""
    if backbone.digest not in _engines:
        from worker.backbones.engine import LiteRTEngine

        _engines.clear()
        _engines[backbone.digest] = LiteRTEngine(ensure_tflite(backbone, settings.BACKBONE_DIR), threads=1)
    return _engines[backbone.digest]


HANDLERS: dict[str, Callable[[Job], None]] = {
    Job.Kind.INGEST: ingest,
    Job.Kind.TRAIN: train,
    Job.Kind.EMBED: embed,
}
