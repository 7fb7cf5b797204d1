"""Rows to the API's shapes."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from classifier import selectors
from classifier.jobs.kinds import KINDS
from classifier.jobs.progress import job_progress
from classifier.jobs.queueing import list_positions
from classifier.jobs.stage_times import StageTimes
from classifier.jobs.state import read_state
from classifier.models import Export, ImageClass, Job, ModelVersion, PartialUpload, Project, Sample, Upload, UploadItem
from classifier.services.artifacts import load_evaluation
from classifier.services.exports import has_old_names
from classifier.services.outcomes import Outcome
from classifier.services.resumable import KEPT

RESULTS_ON_JOB = 1000


def present_project(project: Project) -> dict[str, Any]:
    counts = selectors.class_counts(project)
    live = selectors.live_version(project)
    return {
        "slug": project.slug,
        "name": project.name,
        "created_at": project.created_at,
        "classes": [present_class(row, counts.get(row.pk, 0)) for row in selectors.list_classes(project)],
        "live_version": live.number if live else None,
    }


def present_class(image_class: ImageClass, samples: int) -> dict[str, Any]:
    return {
        "id": image_class.pk,
        "name": image_class.name,
        "samples": samples,
        "description": image_class.description,
        "colour": image_class.shown_colour,
        "position": image_class.position,
        "in_training": image_class.in_training,
        "is_negative": image_class.is_negative,
    }


def present_sample(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.pk,
        "file": sample.file_name,
        "sha256": sample.image.sha256,
        "class_id": sample.image_class_id,
        "class_name": sample.image_class.name if sample.image_class else None,
        "split": sample.split,
        "split_is_given": sample.split_is_given,
        "group": sample.group,
        "tags": sample.tag_list,
        "width": sample.image.width,
        "height": sample.image.height,
        "deleted": sample.deleted_at is not None,
    }


def present_jobs(jobs: list[Job]) -> list[dict[str, Any]]:
    """Present jobs of a list, with the positions of those that wait."""
    times, positions = StageTimes({job.kind for job in jobs}), list_positions(jobs)
    return [present_job(job, times, positions) for job in jobs]


def present_job(job: Job, times: StageTimes | None = None, positions: dict[int, int] | None = None) -> dict[str, Any]:
    progress = job_progress(job, times)
    if positions is None:
        positions = list_positions([job])
    return {
        "id": job.pk,
        "project": job.project.slug if job.project else None,
        "number": job.number,
        "kind": job.kind,
        "status": job.status,
        "stage": job.stage,
        "progress": round(progress.fraction, 4),
        "done": progress.done,
        "total": progress.total,
        "rate": progress.rate and round(progress.rate, 2),
        "eta_seconds": None if progress.eta is None else round(progress.eta, 1),
        "late_seconds": progress.late_by and round(progress.late_by, 1),
        "position": positions.get(job.pk),
        "worker": job.worker,
        "attempts": job.attempts,
        "worker_deaths": job.worker_deaths,
        "error": job.error,
        "waits_for": job.waits_for,
        "curve": job.curve,
        "result": _present_result(job),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _present_result(job: Job) -> BaseModel:
    """Return the job's result as its kind has it, with what is stored elsewhere: its upload and its event files."""
    result = dict(job.result)
    stored = read_state(job).event_files
    if stored is not None:
        result["event_files"] = stored.size
    if (written := read_state(job).project_file) is not None:
        result["project_file"] = written.size
    if (plan := read_state(job).plan) is not None:
        result["plan"] = plan
    upload = getattr(job, "upload", None)
    if upload is not None:
        result |= {"upload": upload.pk, "counts": selectors.upload_counts(upload)}
        if not job.is_open:
            result["results"] = [present_item(item) for item in upload.items.order_by("pk")[:RESULTS_ON_JOB]]
    shape = KINDS[job.kind].result
    return shape.model_validate({name: value for name, value in result.items() if name in shape.model_fields})


def present_item(item: UploadItem | Outcome) -> dict[str, Any]:
    return {"file": item.file_name, "status": item.status, "reason": item.reason}


def present_upload(upload: Upload) -> dict[str, Any]:
    """Present an upload that `selectors.list_uploads` has counted."""
    counts = {status: getattr(upload, status) for status in UploadItem.Status.values}
    return {
        "id": upload.pk,
        "source": upload.source,
        "job": upload.job_id,
        "counts": {status: count for status, count in counts.items() if count},
        "created_at": upload.created_at,
    }


def present_resumable(partial: PartialUpload) -> dict[str, Any]:
    return {
        "id": partial.token,
        **{name: getattr(partial, name) for name in ("name", "size", "offset", "last_modified", "created_at")},
        "upload": partial.upload_id,
        "job": partial.upload.job_id if partial.upload else None,
        "expires_at": partial.touched_at + KEPT,
    }


def present_export(export: Export, version: ModelVersion, names: list[str]) -> dict[str, Any]:
    return {
        "format": export.format,
        "status": export.job.status if export.job else Job.Status.SUCCEEDED if export.sha256 else Job.Status.FAILED,
        "job": export.job_id,
        "size": export.size or None,
        "sha256": export.sha256 or None,
        "certificate": export.certificate,
        "error": export.job.error if export.job else "",
        "has_old_names": has_old_names(export, version, names),
    }


def present_evaluation(version: ModelVersion) -> dict[str, Any]:
    names = selectors.class_names(version)
    evaluation = load_evaluation(version.artifact_digest)
    predicted = evaluation.probabilities.argmax(axis=1)
    return {
        "pictures": [
            {
                "sha256": sha256,
                "true_class": names[evaluation.labels[row]],
                "predicted_class": names[predicted[row]],
                "probability": round(float(evaluation.probabilities[row, predicted[row]]), 6),
            }
            for row, sha256 in enumerate(evaluation.sha256s)
        ]
    }


def present_version(version: ModelVersion, live: ModelVersion | None) -> dict[str, Any]:
    return {
        "number": version.number,
        "name": version.name,
        "note": version.note,
        "pinned": version.pinned,
        "live": live is not None and live.pk == version.pk,
        "backbone": version.backbone,
        "config": version.config,
        "dataset_version": version.dataset_version.number,
        "dataset_digest": version.dataset_version.digest,
        "artifact_digest": version.artifact_digest,
        "accuracy": asdict(version.accuracy),
        "metrics": version.metrics,
        "created_at": version.created_at,
    }
