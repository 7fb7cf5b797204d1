"""Rows to the API's shapes."""

from typing import Any

from classifier import selectors
from classifier.models import Job, ModelVersion, Project, Sample


def present_project(project: Project) -> dict[str, Any]:
    counts = selectors.class_counts(project)
    live = selectors.live_version(project)
    return {
        "slug": project.slug,
        "name": project.name,
        "created_at": project.created_at,
        "classes": [
            {"id": row.pk, "name": row.name, "samples": counts.get(row.pk, 0)} for row in project.classes.all()
        ],
        "live_version": live.number if live else None,
    }


def present_sample(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.pk,
        "file": sample.file_name,
        "sha256": sample.image.sha256,
        "class_id": sample.image_class_id,
        "class_name": sample.image_class.name,
        "split": sample.split,
        "width": sample.image.width,
        "height": sample.image.height,
        "deleted": sample.deleted_at is not None,
    }


def present_job(job: Job) -> dict[str, Any]:
    progress = selectors.job_progress(job)
    return {
        "id": job.pk,
        "kind": job.kind,
        "status": job.status,
        "stage": job.stage,
        "progress": round(progress.fraction, 4),
        "done": progress.done,
        "total": progress.total,
        "rate": progress.rate and round(progress.rate, 2),
        "eta_seconds": progress.eta and round(progress.eta, 1),
        "error": job.error,
        "curve": job.curve,
        "result": _present_result(job),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _present_result(job: Job) -> dict[str, Any]:
    if job.kind == Job.Kind.INGEST:
        upload = getattr(job, "upload", None)
        return {"upload": upload.pk, "counts": selectors.upload_counts(upload)} if upload else {}
    return {"model_version": job.facts.get("model_version"), "unchanged": job.facts.get("unchanged", False)}


def present_version(version: ModelVersion, live: ModelVersion | None) -> dict[str, Any]:
    return {
        "number": version.number,
        "live": live is not None and live.pk == version.pk,
        "backbone": version.backbone,
        "config": version.config,
        "dataset_version": version.dataset_version.number,
        "dataset_digest": version.dataset_version.digest,
        "artifact_digest": version.artifact_digest,
        "metrics": version.metrics,
        "created_at": version.created_at,
    }
