"""The Celery side: fetch rows, claim, call, record. Only this package of `worker/` knows Django and Celery.

There is one task, `run_job`: the job's row says what is to be done. Whatever the broker does - lose a message,
deliver it twice, deliver it late - the claim decides who works. Each kind of job has a file.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery import shared_task, signals
from django.db import DatabaseError, close_old_connections, connection

from classifier.jobs import lifecycle
from classifier.models import Job
from classifier.services import datasets, embeddings, remote
from classifier.services.networks import find_backbone
from classifier.services.prediction import CANNOT_ANSWER
from ml.backbones.spec import NetworkMissing
from ml.backbones.weights import WeightsMissing
from ml.datasets.archives import ArchiveRejected
from ml.download import DownloadFailed
from ml.engines.confined import EngineFailed
from ml.engines.conversion import ConversionFailed
from ml.errors import ImportRefused
from ml.exports.run import ExportFailed
from ml.training.artifacts import ArtifactCorrupt
from ml.training.fine_tuning import TuningFailed
from ml.training.head import EmptySplit, TrainingDiverged
from worker.backbone import add_backbone, import_version
from worker.embed import embed, engine_of
from worker.export import export
from worker.features import PictureMissing
from worker.hub import make_hub_backbone
from worker.ingest import ingest
from worker.train import train

log = structlog.get_logger(__name__)

BEAT_SECONDS = 2.0

# Errors whose message was written for the user. Everything else is our fault and says so.
SENTENCES = (
    ArchiveRejected,
    ConversionFailed,
    EmptySplit,
    TrainingDiverged,
    PictureMissing,
    embeddings.EmbeddingsMissing,
    DownloadFailed,
    WeightsMissing,
    datasets.DatasetCorrupt,
    ArtifactCorrupt,
    ExportFailed,
    ImportRefused,
    NetworkMissing,
    EngineFailed,
    TuningFailed,
)


@shared_task(name="worker.run_job")
def run_job(pk: int) -> None:
    """Work on a job until it ends, or waits for its children, or is no longer ours."""
    close_old_connections()
    job = lifecycle.claim_job(pk)
    if job is None:
        return  # cancelled, ended, or somebody else has it
    try:
        with _heartbeat(job):
            HANDLERS[Job.Kind(job.kind)](job)
    except lifecycle.LeaseLost:
        log.info("job_let_go", job=pk)
    except SENTENCES as error:
        lifecycle.fail_job(pk, sentence=str(error), error=error, lease=job.lease)
    except MemoryError as error:
        sentence = "There was not enough memory for this. Close other programs, or use a machine with more memory."
        lifecycle.fail_job(pk, sentence=sentence, error=error, lease=job.lease)
    except Exception as error:
        sentence = (
            f"Something went wrong on our side ({type(error).__name__}). Starting it again may help; "
            f"the administrator finds the details with “python manage.py show_job {pk}”."
        )
        lifecycle.fail_job(pk, sentence=sentence, error=error, lease=job.lease)


@shared_task(name=remote.TASK, ignore_result=True)
def answer(name: str, key: str) -> None:
    """Look at pictures for a web process that waits, see `services.remote`."""
    close_old_connections()
    try:
        backbone = find_backbone(name)
        pictures = remote.take_pictures(key, backbone.input_size)
        if pictures is not None:
            remote.give_answer(key, engine_of(backbone).embed(pictures))
    except CANNOT_ANSWER as error:
        remote.give_answer(key, str(error))


@signals.task_failure.connect(sender=run_job)
def free_lease_of_killed_child(args: Any = (), exception: Any = None, **_: Any) -> None:
    """A killed child cannot run its own `except`: its parent process sees it die and frees the lease."""
    if isinstance(exception, WorkerLostError):
        for job in Job.objects.filter(pk=args[0], status=Job.Status.RUNNING).exclude(lease=""):
            lifecycle.release_lease(job)
        connection.close()  # the parent forks children, and a connection must not be inherited


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """Signs of life from a thread, so that a long step (importing TensorFlow) is not taken for death."""
    stop = threading.Event()

    def tell() -> None:
        while not stop.wait(BEAT_SECONDS):
            try:
                lifecycle.beat(job)
            except lifecycle.LeaseLost:
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


HANDLERS: dict[str, Callable[[Job], None]] = {
    Job.Kind.INGEST: ingest,
    Job.Kind.TRAIN: train,
    Job.Kind.EMBED: embed,
    Job.Kind.EXPORT: export,
    Job.Kind.BACKBONE: add_backbone,
    Job.Kind.IMPORT: import_version,
    Job.Kind.HUB: make_hub_backbone,
}
