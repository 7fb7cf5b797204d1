"""Train a model version from a project's samples."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction

from classifier.jobs import lifecycle, reporting
from classifier.jobs.log import WARNING, write_line
from classifier.jobs.results import TrainResult
from classifier.jobs.state import read_state
from classifier.models import DatasetVersion, Job, Project
from classifier.services import datasets, evaluations, event_files, groups, model_versions, readiness
from classifier.services.candidate_queue import train_soon
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.training.config import TrainConfig, parse_config
from ml.training.event_files import TrainingEventFiles
from worker.embed import WantedEmbeddings, queue_embedding, queue_missing
from worker.same_photos import compare_pictures
from worker.throttle import Throttle
from worker.training import TrainingRun

log = structlog.get_logger(__name__)


def train(job: Job) -> None:
    """Train a model version, or find the one that is there already.

    The job runs more than once: it is claimed again after its embed jobs have ended, or after its worker has died.
    """
    config = parse_config(job.config)
    backbone = find_backbone(config.backbone)
    _fetch_weights(job, backbone)
    if _waits_for_groups(job, backbone):
        return  # the last of the embed jobs continues this job
    version = _freeze(job, config)
    known = model_versions.find_version(version, config)
    if known is not None:
        with transaction.atomic():
            not_live = model_versions.settle_alias(job, known)
            write_line(job, f"Nothing has changed since version {known.number}, so nothing was trained.")
            lifecycle.finish_job(job, TrainResult(model_version=known.number, unchanged=True, not_live=not_live))
        _look_at_the_unlabelled(job.own_project, backbone)
        return
    dataset = datasets.load_dataset(version)
    if queue_embedding(job, backbone, dataset, config.augmentations):
        return  # the last of the embed jobs continues this job
    run = TrainingRun(job, version, dataset, backbone, config, negative=model_versions.negative_classes(version))
    with _summaries_of(job) as written:
        trained = run.train(written)
    published = model_versions.publish_model_version(
        job, version, config, trained, custom=run.custom, measured=run.measured, stopped=run.stopped
    )
    evaluations.evaluate_version(published)  # so that whoever opens its page first need not wait for that
    _look_at_the_unlabelled(job.own_project, backbone)


def _look_at_the_unlabelled(project: Project, backbone: Backbone) -> None:
    """Let idle workers embed the pictures that no training needs, for which the version can then suggest a class.

    A candidate that waited for embeddings which the training has taken over goes on, or finds that it is the version.
    """
    train_soon(project)
    if not backbone.needs_tensorflow and readiness.list_unready(project, backbone):
        readiness.get_ready_soon(project)


def _fetch_weights(job: Job, backbone: Backbone) -> None:
    """Download the weights if no package contains them and they are missing."""
    throttle = Throttle()

    def report(received: int, total: int) -> None:
        if job.stage != "fetch":
            reporting.enter_stage(job, "fetch", total=max(total // 2**20, 1))
        if throttle.due():
            reporting.report(job, done=received // 2**20, total=max(total // 2**20, 1))

    backbone.ensure_weights(report)


def _waits_for_groups(job: Job, backbone: Backbone) -> bool:
    """Find the same photos before splits are dealt. Return whether their embeddings have to be computed first.

    Usually that has been done while the pictures came in.
    """
    if read_state(job).dataset_version is not None or not groups.has_uncompared(job.own_project):
        return False
    readiness.give_way(job.own_project)
    if queue_missing(job, [WantedEmbeddings(backbone, datasets.list_usable(job.own_project))], stage="embed"):
        return True
    compare_pictures(job, backbone)
    return False


def _freeze(job: Job, config: TrainConfig) -> DatasetVersion:
    """Return the job's dataset version, which is frozen when the job first runs and usually stays the same."""
    frozen = read_state(job).dataset_version
    if frozen is not None:
        version = DatasetVersion.objects.get(pk=frozen)
        if not datasets.has_damaged_pictures(version):
            return version  # otherwise a picture was set aside while the job ran, and the others go on
    reporting.enter_stage(job, "freeze", total=1)
    version = datasets.freeze_dataset_version(
        job.own_project,
        validation_percentage=config.validation_percentage,
        testing_percentage=config.testing_percentage,
        by=job.created_by,
    )
    reporting.update_state(job, dataset_version=version.pk)
    return version


@contextmanager
def _summaries_of(job: Job) -> Iterator[TrainingEventFiles | None]:
    """Provide event files that are stored however the training ends, because they show best what went wrong.

    No training fails or waits because of them: what goes wrong with them is told in the job's log.
    """
    try:
        folder = Path(tempfile.mkdtemp(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="summaries-"))
    except OSError as error:
        _tell_lost(job, error)
        yield None
        return
    written = TrainingEventFiles(folder)
    try:
        yield written
    finally:
        written.close()
        try:
            _store(job, folder, written.error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _store(job: Job, folder: Path, error: Exception | None) -> None:
    try:
        if error:
            raise error
        event_files.store_event_files(job, folder)
    except lifecycle.LeaseLost:
        raise
    except Exception as caught:
        _tell_lost(job, caught)


def _tell_lost(job: Job, error: Exception) -> None:
    log.warning("event_files_lost", job=job.pk, exc_info=error)
    with suppress(DatabaseError):  # if that is away, the training will notice by itself
        write_line(job, "The event files for TensorBoard could not be written. The training does without.", WARNING)
