"""Define the Celery tasks, which fetch the row, claim it, call the job's function, and record the result.

Jobs have a single task, `run_job`: the job's row says what is to be done. Whatever the broker does - lose a message,
deliver it twice, deliver it late - the claim decides who works. Each kind of job has a file.
"""

import os
import pkgutil
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import structlog
from billiard import current_process
from billiard.exceptions import WorkerLostError
from celery import current_app, shared_task, signals
from celery.worker.state import active_requests
from django.db import DatabaseError, close_old_connections, connection
from structlog.contextvars import bound_contextvars

from classifier.disk import has_room, wait_for_room
from classifier.jobs import lifecycle, reporting, wishes
from classifier.jobs.fairness import claim_fairly
from classifier.jobs.kinds import KINDS
from classifier.models import Job, Sample
from classifier.outages import ROOM, find_outage
from classifier.schema import describe_program, explain_difference
from classifier.services import remote
from classifier.services.custom_backbones import find_backbone
from classifier.workers import record_worker
from ml.errors import UserError
from ml.images.decoding import PictureUnreadable
from ml.machine import describe_software, measure_processes
from ml.sandbox.child import ChildKilled
from poetsweb.logs import TRAFFIC
from poetsweb.shared_settings import digest_settings
from worker.embed import engine_of
from worker.features import describe_unreadable, find_sample
from worker.get_ready import run_in_background
from worker.turns import BY_HAND

log, traffic = structlog.get_logger(__name__), structlog.get_logger(TRAFFIC)

BEAT_SECONDS = 2.0
LOOK_SECONDS = 0.4  # between two looks at what people want of a job
GRACE_SECONDS = 0.8  # for the work of a job that was cancelled to stop by itself
OUTAGE_PAUSE = 2.0
STOPPED = "asked to stop"
SOFTWARE, PROGRAM, SETTINGS = describe_software(), describe_program(), digest_settings()
ASKED_TO_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_CRASHED = "It crashed while it computed or read a picture. The administrator finds more in the log."
CAUSES: dict[int, str] = {
    signal.SIGKILL: "The system killed it, probably because it ran out of memory. "
    "Close other programs or use a machine with more memory, and start the job again.",
    **dict.fromkeys((signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT), _CRASHED),
}


@shared_task(name="worker.run_job", bind=True)
def run_fair_job(self: Any, pk: int) -> None:
    """Work on the job whose turn it is in the queue of this one."""
    close_old_connections()
    try:
        job = claim_fairly(pk, worker=self.request.hostname or _here())
    except DatabaseError as error:
        log.warning("job_not_claimed", job=pk, error=str(error))  # the reaper sends it again
        return
    if job is not None:
        _work_on(job)


def run_job(pk: int) -> None:
    """Work on this job until it ends, waits for its children, or is no longer ours."""
    close_old_connections()
    job = lifecycle.claim_job(pk, worker=_here())
    if job is not None:  # otherwise it was cancelled, has ended, or somebody else has it
        _work_on(job)


def _here() -> str:
    """Return the name of a worker that is a command."""
    return f"{BY_HAND}{socket.gethostname()}"


def _work_on(job: Job) -> None:
    """Work on a job, with its id, its user's and that of the request that asked for it in every line of the log."""
    told = {"user": job.created_by_id, "request_id": job.request_id or None}
    with bound_contextvars(job=job.pk, kind=job.kind, **{key: value for key, value in told.items() if value}):
        begun = time.monotonic()
        traffic.info("job_taken", attempt=job.attempts)
        _work_until_it_ends(job)
        traffic.info("job_left", seconds=round(time.monotonic() - begun, 3))


def _work_until_it_ends(job: Job) -> None:
    try:
        # What is done in the background gives way often, and its process would have to load its backbone again.
        with _heartbeat(job, in_pool=current_process().daemon and not job.background):
            wait_for_room()
            reporting.note_cold(job, cold="tensorflow" not in sys.modules)
            work = pkgutil.resolve_name(KINDS[job.kind].run)
            run_in_background(work, job) if job.background else work(job)
    except lifecycle.LeaseLost:
        log.info("job_let_go", job=job.pk)
    except (KeyboardInterrupt, SystemExit):
        lifecycle.free_lease(job)
        raise
    except ChildKilled as error:
        cause = CAUSES[-(error.status or -signal.SIGKILL)]
        _write_when_possible(lambda: lifecycle.count_death(job, cause))
    except Exception as error:
        _wait_or_fail(job, error)


def _wait_or_fail(job: Job, error: Exception) -> None:
    """Put the job off if something is away, and end it if the fault is its own."""
    # Where there is no room, programs and libraries fail in ways of their own.
    outage = find_outage(error) or ("" if has_room() else ROOM)
    if outage:
        log.warning("outage", job=job.pk, outage=outage, error=str(error))
        _write_when_possible(lambda: lifecycle.postpone_job(job, outage))
        return
    sentence, sample = _describe(job, error)
    _write_when_possible(
        lambda: lifecycle.fail_job(job.pk, sentence=sentence, error=error, lease=job.lease, sample=sample)
    )


def _describe(job: Job, error: Exception) -> tuple[str, Sample | None]:
    """Return what went wrong as a sentence for the user, and the picture that is to blame."""
    if isinstance(error, PictureUnreadable):
        sample = find_sample(job, error.sha256)
        return describe_unreadable(sample, error), sample
    if isinstance(error, UserError):
        return str(error), None
    if isinstance(error, MemoryError):
        return "There was not enough memory for this. Close other programs, or use a machine with more memory.", None
    return (
        f"Something went wrong on our side ({type(error).__name__}). Starting it again may help; "
        f"the administrator finds the details with “python manage.py show_job {job.pk}”."
    ), None


def _write_when_possible(write: Callable[[], object]) -> None:
    """Write to the database as soon as it answers: it may be what is away."""
    while True:
        try:
            write()
            return
        except DatabaseError as error:
            if not find_outage(error):
                raise
            close_old_connections()
            time.sleep(OUTAGE_PAUSE)


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


@signals.task_failure.connect(sender=run_fair_job)
def free_lease_of_killed_child(args: Any = (), exception: Any = None, **_: Any) -> None:
    """Free the lease of a child that was killed, which cannot run its own `except`; its parent sees it die."""
    if isinstance(exception, WorkerLostError):
        _free_leases([args[0]], str(exception))


@signals.worker_shutting_down.connect
def free_leases_at_the_end(**_: Any) -> None:
    """Free the leases of all jobs at hand when the worker is asked to stop, which is no death of theirs."""
    _free_leases([request.args[0] for request in active_requests if request.name == run_fair_job.name], STOPPED)


def _list_held(message: int) -> Iterable[Job]:
    return Job.objects.filter(status=Job.Status.RUNNING, lease__startswith=f"{message}-")


def _free_leases(messages: list[int], how: str) -> None:
    """Free the leases that were taken for these messages. Count a death unless somebody asked the worker to stop.

    For the worker's main process.
    """
    found = re.search(r"signal (\d+)", how)
    number = int(found[1]) if found else 0
    try:
        for job in [job for message in messages for job in _list_held(message)]:
            if how == STOPPED or number in ASKED_TO_STOP:
                lifecycle.free_lease(job)
            else:
                lifecycle.count_death(job, CAUSES.get(number, f"It ended by itself ({how})."))
    except DatabaseError as error:
        log.warning("lease_not_freed", messages=messages, error=str(error))  # the reaper finds it
    finally:
        connection.close()  # the parent forks children, and a connection must not be inherited


@signals.celeryd_init.connect
def refuse_other_tables(**_: Any) -> None:
    """End with a sentence where the tables are not those of this program: each job would fail with a traceback."""
    try:
        difference = explain_difference()
    except DatabaseError:
        return  # it may be back before there is work
    finally:
        connection.close()  # the children that are forked now must not share it
    if difference:
        sys.exit(f"PoetsWeb’s worker cannot start: {difference}")


@signals.heartbeat_sent.connect
def tell_alive(sender: Any, **_: Any) -> None:
    """Tell every two seconds, from the worker's main process, that it lives and which queues it serves."""
    consumer = sender.eventer  # the heart knows its event dispatcher, which knows the worker's name
    used = measure_processes()
    facts = {"version": SOFTWARE, "program": PROGRAM, "memory": used.memory, "processes": used.count}
    queues = sorted(current_app.amqp.queues.consume_from)
    record_worker(consumer.hostname, queues, **facts, settings=SETTINGS)


def _end_process(job: Job) -> None:
    """End this process of the pool, in the middle of work that nobody wants any more; the pool makes another one."""
    log.warning("process_ended", job=job.pk, why="the job was cancelled and its work did not stop")
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _heartbeat(job: Job, *, in_pool: bool = False) -> Iterator[None]:
    """Send signs of life from a thread, so that a long step (importing TensorFlow) is not mistaken for death.

    The thread also looks whether somebody has cancelled the job, or wants it to stop. The work finds that out at its
    next report; where it makes none for too long and is done in a process of a pool, that process ends.
    """
    stop = threading.Event()

    def tell() -> None:
        beaten, ended = time.monotonic(), 0.0
        while not stop.wait(LOOK_SECONDS):
            now = time.monotonic()
            try:
                if wishes.look_for_wishes(job):
                    ended = ended or now
                elif now - beaten >= BEAT_SECONDS:
                    beaten = now
                    lifecycle.beat(job)
            except lifecycle.LeaseLost:
                ended = 0.0  # the work finds out at its next report
            except DatabaseError as error:
                log.warning("heartbeat_failed", job=job.pk, error=str(error))
            if ended and now - ended >= GRACE_SECONDS and in_pool:
                _end_process(job)
        connection.close()

    teller = threading.Thread(target=copy_context().run, args=(tell,), name=f"heartbeat-{job.pk}", daemon=True)
    teller.start()
    try:
        yield
    finally:
        stop.set()
        teller.join()
