"""The calls: permission -> service -> answer."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import File, Form, NinjaAPI, Query, Status
from ninja.errors import HttpError
from ninja.files import UploadedFile

from classifier import selectors
from classifier.api import schemas
from classifier.api.auth import AUTH
from classifier.api.errors import install_error_handlers
from classifier.api.present import (
    present_evaluation,
    present_item,
    present_job,
    present_project,
    present_sample,
    present_upload,
    present_version,
)
from classifier.models import Job, ModelVersion, Project
from classifier.services import (
    images,
    jobs,
    model_versions,
    prediction,
    projects,
    sample_sets,
    samples,
    training,
    uploads,
)
from classifier.services.images import read_bounded
from classifier.views.access import SignedIn
from worker.archives import looks_like_archive
from worker.config import parse_config

PAGE = 100

api = NinjaAPI(
    title="PoetsWeb",
    version="1",
    description="All that the pages do. Make a key on the page “API keys” or with `manage.py create_api_key`.",
    auth=AUTH,
    urls_namespace="api",
)
install_error_handlers(api)
ERRORS: dict[int, Any] = dict.fromkeys((401, 404, 409, 413, 422, 503), schemas.ErrorOut)


def find_project(request: SignedIn, slug: str) -> Project:
    return get_object_or_404(selectors.list_projects(request.user), slug=slug)


# --- projects and classes ------------------------------------------------------------------------------


@api.get("/projects", response=list[schemas.ProjectOut])
def list_projects(request: SignedIn) -> Any:
    return selectors.list_projects(request.user)


@api.post("/projects", response={201: schemas.ProjectOut, **ERRORS})
def create_project(request: SignedIn, payload: schemas.ProjectIn) -> Any:
    return Status(201, projects.create_project(payload.name, by=request.user))


@api.post("/sample-projects", response={202: schemas.SampleProjectOut, **ERRORS})
def create_sample_project(request: SignedIn, payload: schemas.SampleProjectIn) -> Any:
    """A project with sample pictures, which a job brings."""
    project, started = sample_sets.start_sample_project(payload.name, by=request.user)
    return Status(202, {"slug": project.slug, "job": started.job_id})


@api.get("/projects/{slug}", response={200: schemas.ProjectDetail, **ERRORS})
def get_project(request: SignedIn, slug: str) -> Any:
    return present_project(find_project(request, slug))


@api.patch("/projects/{slug}", response={200: schemas.ProjectOut, **ERRORS})
def rename_project(request: SignedIn, slug: str, payload: schemas.ProjectIn) -> Any:
    project = find_project(request, slug)
    projects.rename_project(project, payload.name)
    return project


@api.post("/projects/{slug}/classes", response={201: schemas.ClassOut, **ERRORS})
def create_class(request: SignedIn, slug: str, payload: schemas.ClassIn) -> Any:
    image_class = projects.get_or_create_class(find_project(request, slug), payload.name)
    count = selectors.class_counts(image_class.project).get(image_class.pk, 0)
    return Status(201, {"id": image_class.pk, "name": image_class.name, "samples": count})


@api.patch("/projects/{slug}/classes/{class_id}", response={200: schemas.ClassOut, **ERRORS})
def rename_class(request: SignedIn, slug: str, class_id: int, payload: schemas.ClassIn) -> Any:
    image_class = get_object_or_404(find_project(request, slug).classes, pk=class_id)
    projects.rename_class(image_class, payload.name)
    count = selectors.class_counts(image_class.project).get(image_class.pk, 0)
    return {"id": image_class.pk, "name": image_class.name, "samples": count}


@api.delete("/projects/{slug}/classes/{class_id}", response={204: None, **ERRORS})
def delete_class(request: SignedIn, slug: str, class_id: int) -> Any:
    projects.delete_class(get_object_or_404(find_project(request, slug).classes, pk=class_id))
    return Status(204, None)


# --- samples -------------------------------------------------------------------------------------------


@api.get("/projects/{slug}/samples", response={200: schemas.SamplePage, **ERRORS})
def list_samples(
    request: SignedIn,
    slug: str,
    class_id: int | None = None,
    deleted: bool = False,
    before: int | None = None,
    size: int = Query(PAGE, ge=1, le=1000),
) -> Any:
    project = find_project(request, slug)
    image_class = get_object_or_404(project.classes, pk=class_id) if class_id is not None else None
    found = selectors.list_samples(project, image_class, deleted=deleted)
    page, following = selectors.page_of_samples(found, before=before, size=size)
    return {"samples": [present_sample(sample) for sample in page], "next": following}


@api.post("/projects/{slug}/samples/move", response={200: schemas.ChangedOut, **ERRORS})
def move_samples(request: SignedIn, slug: str, payload: schemas.MoveIn) -> Any:
    project = find_project(request, slug)
    to = get_object_or_404(project.classes, pk=payload.class_id)
    return {"changed": samples.move_samples(project, payload.ids, to=to)}


@api.post("/projects/{slug}/samples/delete", response={200: schemas.ChangedOut, **ERRORS})
def delete_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    return {"changed": samples.delete_samples(find_project(request, slug), payload.ids)}


@api.post("/projects/{slug}/samples/restore", response={200: schemas.ChangedOut, **ERRORS})
def restore_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    return {"changed": samples.restore_samples(find_project(request, slug), payload.ids)}


@api.post("/projects/{slug}/samples/purge", response={200: schemas.ChangedOut, **ERRORS})
def purge_samples(request: SignedIn, slug: str) -> Any:
    """Empty the trash for good."""
    return {"changed": samples.purge_samples(find_project(request, slug))}


@api.get("/projects/{slug}/images/{sha256}", response={200: None, **ERRORS})
def get_image(request: SignedIn, slug: str, sha256: str) -> Any:
    """The bytes of a picture, as they were uploaded."""
    image = selectors.get_image(find_project(request, slug), sha256)
    try:
        return HttpResponse(images.read_picture(image), content_type=images.MIME[image.format])
    except OSError:
        raise Http404 from None


# --- uploads -------------------------------------------------------------------------------------------


@api.post("/projects/{slug}/uploads", response={201: schemas.UploadOut, 202: schemas.JobRef, **ERRORS})
def upload(
    request: SignedIn,
    slug: str,
    file: File[list[UploadedFile]],
    class_name: str = Form("", alias="class"),
) -> Any:
    """Pictures of one class (`file` repeated, `class`), or one archive whose folders are the classes."""
    project = find_project(request, slug)
    archives = [part for part in file if looks_like_archive(part.name or "")]
    if archives and len(file) > 1:
        raise HttpError(422, "Send an archive alone, without other files.")
    if archives:
        received = uploads.receive_archive(project, archives[0], archives[0].name or "archive", by=request.user)
        return Status(202, {"job": received.job_id})
    label = projects.clean_name(class_name, longest=200) if class_name.strip() else ""
    if not label:
        raise HttpError(422, "Say which class the pictures belong to, in the field “class”.")
    started = uploads.start_upload(project, f"{len(file)} pictures over the API", by=request.user)
    results = []
    for part in file:  # one picture in memory at a time
        results += uploads.add_pictures(started, [(part.name or "", label, read_bounded(part))])
    described = [present_item(item) for item in results]
    return Status(201, {"upload": started.pk, "results": described})


@api.get("/projects/{slug}/uploads/{number}", response={200: schemas.UploadOut, **ERRORS})
def get_upload(
    request: SignedIn,
    slug: str,
    number: int,
    after: int = Query(0, ge=0, le=2**31),
    size: int = Query(1000, ge=1, le=10_000),
) -> Any:
    """The report, in the order of the files; `after` skips as many."""
    found = get_object_or_404(find_project(request, slug).uploads, pk=number)
    items = found.items.order_by("pk")[after : after + size]
    described = [present_item(item) for item in items]
    return {"upload": found.pk, "results": described}


@api.get("/projects/{slug}/uploads", response={200: list[schemas.UploadSummary], **ERRORS})
def list_uploads(request: SignedIn, slug: str) -> Any:
    """The last hundred."""
    return [present_upload(one) for one in find_project(request, slug).uploads.all()[:100]]


# --- training and jobs ---------------------------------------------------------------------------------


@api.post("/projects/{slug}/train", response={202: schemas.JobRef, **ERRORS})
def train(request: SignedIn, slug: str, payload: schemas.TrainIn | None = None) -> Any:
    project = find_project(request, slug)
    payload = payload or schemas.TrainIn.model_validate({})
    config = parse_config({"backbone": settings.BACKBONE, **payload.config_values()})
    job = training.request_training(project, config, by=request.user, promote=payload.promote, force=payload.force)
    return Status(202, {"job": job.pk})


@api.get("/projects/{slug}/preflight", response={200: schemas.PreflightOut, **ERRORS})
def preflight(request: SignedIn, slug: str) -> Any:
    """Why training cannot (errors) or should not (warnings) start now."""
    found = training.check_training(find_project(request, slug))
    return {
        "errors": found.errors,
        "warnings": found.warnings,
        "running_job": found.running.pk if found.running else None,
    }


@api.get("/projects/{slug}/jobs", response={200: list[schemas.JobOut], **ERRORS})
def list_jobs(request: SignedIn, slug: str) -> Any:
    """The last fifty."""
    found = selectors.list_jobs(request.user).filter(project=find_project(request, slug))[:50]
    return [present_job(job) for job in found]


@api.get("/jobs/{job_id}", response={200: schemas.JobOut, **ERRORS})
def get_job(request: SignedIn, job_id: int) -> Any:
    return present_job(get_object_or_404(selectors.list_jobs(request.user), pk=job_id))


@api.post("/jobs/{job_id}/cancel", response={200: schemas.JobOut, **ERRORS})
def cancel_job(request: SignedIn, job_id: int) -> Any:
    job: Job = get_object_or_404(selectors.list_jobs(request.user), pk=job_id)
    if not jobs.cancel_job(job):
        raise HttpError(409, "The job had already ended.")
    job.refresh_from_db()
    return present_job(job)


# --- versions and answers ------------------------------------------------------------------------------


@api.get("/projects/{slug}/versions", response={200: list[schemas.VersionOut], **ERRORS})
def list_versions(request: SignedIn, slug: str) -> Any:
    project = find_project(request, slug)
    live = selectors.live_version(project)
    return [present_version(version, live) for version in project.model_versions.select_related("dataset_version")]


def find_version(request: SignedIn, slug: str, number: int) -> ModelVersion:
    versions = find_project(request, slug).model_versions.select_related("dataset_version", "project")
    return get_object_or_404(versions, number=number)


@api.get("/projects/{slug}/versions/{number}", response={200: schemas.VersionOut, **ERRORS})
def get_version(request: SignedIn, slug: str, number: int) -> Any:
    version = find_version(request, slug, number)
    return present_version(version, selectors.live_version(version.project))


@api.get("/projects/{slug}/versions/{number}/test-pictures", response={200: schemas.TestPicturesOut, **ERRORS})
def list_test_pictures(request: SignedIn, slug: str, number: int) -> Any:
    """How each picture of the test split was answered: what is behind the confusion matrix."""
    return present_evaluation(find_version(request, slug, number))


@api.post("/projects/{slug}/versions/{number}/promote", response={200: schemas.VersionOut, **ERRORS})
def promote(request: SignedIn, slug: str, number: int) -> Any:
    version = find_version(request, slug, number)
    model_versions.promote(version, by=request.user)
    return present_version(version, version)


@api.post("/projects/{slug}/classify", response={200: schemas.ClassifyOut, **ERRORS}, exclude_none=True)
def classify(request: SignedIn, slug: str, image: File[list[UploadedFile]]) -> Any:
    """Name what is in each picture (`image` repeated), with the live version."""
    version = prediction.find_live(request.user, slug)
    if version is None:
        find_project(request, slug)
        raise prediction.NothingLive
    if len(image) > settings.MAX_CLASSIFY_FILES:
        raise HttpError(413, f"Send at most {settings.MAX_CLASSIFY_FILES} pictures at once.")
    result = prediction.answer(version, [read_bounded(part) for part in image])
    if all(answer.error for answer in result.answers):
        raise HttpError(422, result.answers[0].error)
    said = {
        "project": slug,
        "model_version": result.version.number,
        "predictions": [
            _present_answer(part.name or "", answer) for part, answer in zip(image, result.answers, strict=True)
        ],
        "milliseconds": round(result.milliseconds, 2),
    }
    # Past the check against the schema, which would take longer than finding the project.
    return api.create_response(request, said, status=200)


def _present_answer(file: str, answer: prediction.Answer) -> dict[str, Any]:
    classes = [{"name": name, "probability": share} for name, share in answer.classes]
    return {"file": file, "classes": classes, **({"error": answer.error} if answer.error else {})}
