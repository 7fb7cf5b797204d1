"""Compute the embeddings of a project's pictures while they come in, below anything somebody waits for."""

import functools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.conf import settings
from django.db import transaction

from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.kinds import EMBED, SAME_PHOTOS
from classifier.models import Job, Project
from classifier.services import audits, groups, readiness
from classifier.services.candidate_queue import train_soon
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embedding_key
from ml.engines.loading import ensure_ready
from worker.chunks import cut_chunks

NICE = 10
MANY, SHARE = 32, 0.05  # pictures, and of all, that are compared while others are still to be embedded
MAX_CHUNK, MIN_CHUNK = 16, 8  # pictures; a chunk is what somebody else may have to wait for


def get_ready(job: Job) -> None:
    """Queue what makes ready the pictures that have come, again and again, until nothing is missing."""
    project = job.own_project
    backbone = readiness.choose_backbone(project)
    missing = readiness.list_unready(project, backbone) if backbone else []
    to_compare = _count_to_compare(project, backbone, while_embedding=bool(missing)) if backbone else 0
    if backbone is None or not (missing or to_compare):
        lifecycle.finish_job(job)
        if backbone and (readiness.list_unready(project, backbone) or groups.has_uncompared(project)):
            readiness.get_ready_soon(project)  # a picture that came just now saw this job still open
        elif backbone:
            audits.audit_soon(project)
            train_soon(project)
        return
    ensure_ready(backbone, settings.ML.backbones_dir)
    chunks = cut_chunks(missing, least=MIN_CHUNK, most=MAX_CHUNK)
    with transaction.atomic():
        job.children.exclude(status__in=Job.OPEN).delete()
        reporting.enter_stage(job, "embed" if missing else "compare", total=len(missing) or to_compare)
        if to_compare:
            units = 0 if missing else to_compare
            sending.queue_children(job, SAME_PHOTOS, configs=[{"backbone": backbone.name, "units": units}])
        configs = [{"backbone": backbone.name, "images": chunk, "units": len(chunk)} for chunk in chunks]
        sending.queue_children(job, EMBED, configs=configs)
        lifecycle.park_job(job)


def _count_to_compare(project: Project, backbone: Backbone, *, while_embedding: bool) -> int:
    """Return how many pictures to compare now: none of a few while others are still to be embedded."""
    new, count = groups.count_to_compare(project, embedding_key(backbone.digest))
    return 0 if while_embedding and new < max(MANY, SHARE * count) else new


def run_in_background(work: Callable[[Job], None], job: Job) -> None:
    """Do the work in a thread that leaves nearly all of the processor to whoever else wants it, on Linux."""
    _nice_thread().submit(copy_context().run, work, job).result()


@functools.cache
def _nice_thread() -> ThreadPoolExecutor:
    # One that stays, as it keeps its connection to the database and the engine of its backbone.
    return ThreadPoolExecutor(1, thread_name_prefix="background", initializer=_be_nice)


def _be_nice() -> None:
    # A tenth of the others' share, and not what is left over: it writes to the database, and whoever waits for that
    # would wait for all who compute.
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
