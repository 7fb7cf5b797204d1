"""Define the Celery tasks, which fetch the row, claim it, call the job's function, and record the result.

Jobs have a single task, `run_job`: the job's row says what is to be done. Whatever the broker does - lose a message,
deliver it twice, deliver it late - the claim decides who works. Each kind of job has a file.
"""

import pkgutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery import current_app, shared_task, signals
from django.db import DatabaseError, close_old_connections, connection

from classifier.jobs import lifecycle
from classifier.jobs.kinds import KINDS
from classifier.models import Job
from classifier.services import remote
from classifier.services.custom_backbones import find_backbone
from classifier.workers import record_worker
from ml.errors import UserError
from ml.images.decoding import PictureUnreadable
from worker.embed import engine_of
from worker.features import describe_unreadable, find_sample

log = structlog.get_logger(__name__)

BEAT_SECONDS = 2.0


@shared_task(name="worker.run_job")
def run_job(pk: int) -> None:
    """Work on a job until it ends, waits for its children, or is no longer ours."""
    close_old_connections()
    job = lifecycle.claim_job(pk)
    if job is None:
        return  # cancelled, ended, or somebody else has it
    try:
        with _heartbeat(job):
            pkgutil.resolve_name(KINDS[job.kind].run)(job)
    except lifecycle.LeaseLost:
        log.info("job_let_go", job=pk)
    except PictureUnreadable as error:
        sample = find_sample(job, error.sha256)
        sentence = describe_unreadable(sample, error)
        lifecycle.fail_job(pk, sentence=sentence, error=error, lease=job.lease, sample=sample)
    except UserError as error:
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
def extract_features(name: str, key: str) -> None:
    """Compute features for a web process that waits for them, see `classifier.services.remote`."""
    close_old_connections()
    try:
        backbone = find_backbone(name)
        pictures = remote.take_pictures(key, backbone.input_size)
        if pictures is not None:
            remote.return_features(key, engine_of(backbone).embed(pictures))
    except UserError as error:
        remote.return_features(key, str(error))


@signals.task_failure.connect(sender=run_job)
def free_lease_of_killed_child(args: Any = (), exception: Any = None, **_: Any) -> None:
    """Free the lease of a child that was killed, which cannot run its own `except`; its parent sees it die."""
    if isinstance(exception, WorkerLostError):
        for job in Job.objects.filter(pk=args[0], status=Job.Status.RUNNING).exclude(lease=""):
            lifecycle.release_lease(job)
        connection.close()  # the parent forks children, and a connection must not be inherited


@signals.heartbeat_sent.connect
def tell_alive(sender: Any, **_: Any) -> None:
    """Tell every two seconds, from the worker's main process, that it lives and which queues it serves."""
    consumer = sender.eventer  # the heart knows its event dispatcher, which knows the worker's name
    record_worker(consumer.hostname, sorted(current_app.amqp.queues.consume_from))


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """Send signs of life from a thread, so that a long step (importing TensorFlow) is not mistaken for death."""
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
