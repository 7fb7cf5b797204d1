"""Implement `retrain --project`: add the photos to a project of the site, and train on all of its pictures.

The job runs in this process, with the help of workers if some are running.
"""

import shutil
import time
import zipfile
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.conf import settings
from django.db import connection

from classifier.jobs.progress import job_progress
from classifier.models import Job, ModelVersion, Project, Sample, UploadItem
from classifier.selectors import class_names
from classifier.services import event_files, uploads
from classifier.services.artifacts import load_artifact, load_evaluation
from classifier.services.custom_backbones import find_backbone
from classifier.services.training import TrainingRefused, request_training
from classifier.services.videos import frames_in_job
from classifier.services.web_pictures import walk_with_web
from ml.cli.console import Console
from ml.cli.photos import BadPhotos
from ml.cli.retraining import RetrainFailed, check_targets, make_config, too_low, write_files
from ml.datasets.archives import open_folder
from ml.exports.parts import Parts
from ml.machine import CORES

EVERY = 0.3  # seconds between two checks of work that others do


def train_on_site(flags: Namespace, console: Console) -> None:
    """Do everything the flags say.

    Raise `RetrainFailed`, `BadPhotos`, `ArchiveRejected` or `ConfigError`.
    """
    config = make_config(flags, flags.architecture)
    check_targets(flags)
    project = _find_project(flags.project)
    _bring_in(project, flags.image_dir, console)
    try:
        job = request_training(project, config, by=project.owner, force=True)
    except TrainingRefused as refusal:
        raise RetrainFailed(str(refusal)) from None
    _work_on(job, console)
    version = ModelVersion.objects.select_related("dataset_version", "project").get(
        project=project, number=job.result["model_version"]
    )
    _tell(job, version, console)
    if flags.print_misclassified_test_images:
        _print_misclassified(version, console)
    accuracy = version.metrics["test_accuracy"] or 0.0
    if flags.assert_accuracy_at_least is not None and accuracy < flags.assert_accuracy_at_least:
        raise RetrainFailed(too_low(accuracy, flags.assert_accuracy_at_least))
    _write_summaries(job, flags.summaries_dir)
    artifact, backbone = load_artifact(version.artifact_digest), find_backbone(version.backbone)
    parts = Parts(project.name, version.number, backbone, artifact.head, class_names(version), artifact.rejection)
    write_files(flags, parts)


def _find_project(slug: str) -> Project:
    project = Project.objects.filter(slug=slug, deleted_at=None).select_related("owner").first()
    if project is None:
        raise RetrainFailed(f"There is no project {slug[:100]!r} on this site. Create it there first.")
    return project


def _bring_in(project: Project, folder: Path, console: Console) -> None:
    if not folder.is_dir():
        raise BadPhotos(f"There is no folder {folder}.")
    opened = open_folder(folder, settings.ARCHIVE_LIMITS)
    if opened.plan.questions:
        raise BadPhotos(f"{opened.plan.questions[0].text} Bring them in with import_dataset --layout first.")
    walk = walk_with_web(opened.walk(), opened.plan.web)
    upload = uploads.start_upload(project, f"{folder.resolve().name}, by retrain", by=project.owner)
    done = 0
    for outcomes in uploads.add_entries(upload, frames_in_job(walk)):
        done += len(outcomes)
        console.progress("Photos", done, walk.total)
        for outcome in outcomes:
            if outcome.status == UploadItem.Status.REJECTED:
                console.warn(f"{outcome.file_name}: {outcome.reason}")


def _work_on(job: Job, console: Console) -> None:
    """Work on the job until it ends. Raise `RetrainFailed` if it does not succeed."""
    from worker.run import run_job

    run_job(job.pk)
    with ThreadPoolExecutor(CORES) as pool:
        while job.status in Job.OPEN:
            parts = list(Job.objects.filter(parent=job, status__in=Job.OPEN, lease="").values_list("pk", flat=True))
            for _ in pool.map(_run_part, parts):
                _show(job, console)
            run_job(job.pk)  # it can be claimed only if no part of it is left to others
            _show(job, console)
            if job.status in Job.OPEN:
                time.sleep(EVERY)
    if job.status != Job.Status.SUCCEEDED:
        raise RetrainFailed(job.error or f"Job {job.pk} was cancelled on the site.")


def _run_part(pk: int) -> None:
    from worker.run import run_job

    try:
        run_job(pk)
    finally:
        connection.close()  # this thread's own connection


def _show(job: Job, console: Console) -> None:
    job.refresh_from_db()
    progress = job_progress(job)
    if job.stage.startswith("embed") and progress.total:
        console.progress("Embeddings", progress.done, progress.total)


def _tell(job: Job, version: ModelVersion, console: Console) -> None:
    for point in job.curve:
        step = int(point["step"])
        console.say(f"Step {step}: Cross entropy = {point['training_loss']:f}")
        console.say(f"Step {step}: Validation accuracy = {100 * point['validation_accuracy']:.1f}%")
    found = "Nothing changed since it was trained: version" if job.result.get("unchanged") else "Version"
    console.say(f"{found} {version.number} of the project {version.project.slug} (job {job.pk})")
    metrics = version.metrics
    if metrics["test_accuracy"] is None:
        console.say("Final test accuracy is not known, as there are no test pictures (N=0)")
    else:
        console.say(f"Final test accuracy = {100 * metrics['test_accuracy']:.1f}% (N={metrics['test_n']})")


def _print_misclassified(version: ModelVersion, console: Console) -> None:
    console.say("=== MISCLASSIFIED TEST IMAGES ===")
    evaluation, names = load_evaluation(version.artifact_digest), class_names(version)
    answered = evaluation.probabilities.argmax(axis=1)
    for row in (answered != evaluation.labels).nonzero()[0]:
        sample = Sample.objects.filter(project=version.project_id, image__sha256=evaluation.sha256s[row]).first()
        console.say(f"{sample.file_name if sample else evaluation.sha256s[row]:>70}  {names[answered[row]]}")


def _write_summaries(job: Job, folder: Path) -> None:
    """Write the runs of the job's event files, leaving everything else in the folder untouched."""
    try:
        with event_files.open_event_files(job) as file, zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                target = folder.joinpath(*Path(name).parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
    except FileNotFoundError:
        pass  # nothing was trained, because nothing had changed
