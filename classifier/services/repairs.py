"""What is missing or damaged is made again from what is there, or set aside with a sentence."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage

from classifier.jobs.kinds import TRAIN
from classifier.jobs.sending import queue_job
from classifier.jobs.state import JobState, update_ended_state
from classifier.models import (
    Audit,
    Candidate,
    Contribution,
    CustomBackbone,
    DatasetVersion,
    EmbeddingShard,
    Export,
    Image,
    Job,
    ModelVersion,
)
from classifier.models.custom_backbone import backbone_file_path
from classifier.services.candidate_queue import train_soon
from classifier.services.datasets import restore_dataset
from classifier.services.exports import request_export
from classifier.services.file_checks import Problem, is_old
from classifier.services.images import set_aside
from classifier.services.project_files.offering import PROJECT_FILES
from classifier.storage import store_once
from ml.backbones.spec import check_files, custom_backbone_dir, parse_spec
from ml.errors import UserError
from ml.training.pipeline import IMPORTED


def repair(problem: Problem) -> str:
    """Mend what can be mended, and return a sentence on what was done, or on what somebody has to do."""
    if problem.kind == "orphan":
        return _delete_orphan(problem.path)
    if problem.kind == "whole":
        return _use_again(problem.row)
    if problem.kind == "unreadable":
        return "The system does not let it be read at the moment, so nothing was changed."
    if problem.path.startswith(PROJECT_FILES):
        return _forget_project_file(problem.row)
    return _REPAIRS[type(problem.row)](problem.row)


def _delete_orphan(path: str) -> str:
    if not is_old(path):
        return "It has been stored again meanwhile, so it was left."
    default_storage.delete(path)
    return "Deleted."


def _use_again(image: Image) -> str:
    Image.objects.filter(pk=image.pk).update(damaged_at=None)
    return "It is used again."


def _set_aside(image: Image) -> str:
    set_aside(image)
    return "Set aside; the pages of its projects say so. Uploading the picture again restores it."


def _remake_dataset(version: DatasetVersion) -> str:
    if restore_dataset(version):
        return "Made again from the pictures of the project."
    return "It cannot be made again, as the pictures have changed since. Training again makes a new version."


def _remake_version(version: ModelVersion) -> str:
    if version.config.get("recipe") == IMPORTED:
        return "It was imported; import the file again."
    if version.project.jobs.filter(kind=TRAIN.name, status__in=Job.OPEN).exists():
        return "A training of this project is running; run this command again when it has ended."
    state = JobState(dataset_version=version.dataset_version_id)
    job = queue_job(TRAIN, project=version.project, by=version.created_by, config=version.config, state=state)
    return f"Job {job.number} of the project trains it again, as soon as a worker is running."


def _remake_export(export: Export) -> str:
    Export.objects.filter(pk=export.pk).update(sha256="", size=0, certificate=None)
    try:
        job = request_export(export.model_version, export.format, by=export.model_version.created_by)
    except UserError as error:
        return f"It cannot be made again. {error}"
    return f"Job {job.number} of the project makes it again, as soon as a worker is running."


def _forget_event_files(job: Job) -> str:
    update_ended_state(job, event_files=None)
    return "They cannot be made again; the job’s page offers them no longer."


def _forget_project_file(job: Job) -> str:
    update_ended_state(job, project_file=None)
    return "The job’s page offers it no longer; the owner of the project can have it written again."


def _restore_backbone(custom: CustomBackbone) -> str:
    """Store the copy that this machine works with, if it has one that is whole."""
    folder = custom_backbone_dir(custom.name, settings.ML)
    try:
        files = {file: (folder / file).read_bytes() for file in custom.spec["files"]}
        check_files(parse_spec(custom.spec["text"]), files)
    except OSError:
        return "This machine has no copy of it. Add the backbone again."
    except ValueError:
        return "The copy on this machine is damaged too. Add the backbone again."
    for file, data in files.items():
        store_once(backbone_file_path(custom.name, file), data)
    return "Restored from the copy on this machine."


def _forget_audit(audit: Audit) -> str:
    audit.delete()
    return "Checking the pictures of the project again makes it anew."


def _forget_shard(shard: EmbeddingShard) -> str:
    shard.delete()
    return "The next training of those pictures computes them again."


def _train_again(candidate: Candidate) -> str:
    project = candidate.project
    candidate.delete()
    train_soon(project)
    return "It is trained again, as soon as a worker is running."


def _forget_contribution(one: Contribution) -> str:
    one.delete()
    return "It is listed no longer; whoever sent it can send it again."


def _fail_later(job: Job) -> str:
    return "The job is going to fail; upload the archive again."


_REPAIRS: dict[type[Any], Callable[[Any], str]] = {
    Image: _set_aside,
    DatasetVersion: _remake_dataset,
    ModelVersion: _remake_version,
    Export: _remake_export,
    CustomBackbone: _restore_backbone,
    Audit: _forget_audit,
    EmbeddingShard: _forget_shard,
    Candidate: _train_again,
    Contribution: _forget_contribution,
    Job: lambda job: _forget_event_files(job) if not job.is_open else _fail_later(job),
}
