"""Uploads and their reports."""

from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from ninja import File, Router, Status
from ninja.errors import HttpError
from ninja.files import UploadedFile
from ninja.params import functions as params

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import errors
from classifier.api.plan_schemas import PlanOut
from classifier.api.present import present_item, present_upload
from classifier.models import Project
from classifier.services import known, plans, projects, purging, sources, uploads
from classifier.services.images import read_bounded
from ml.datasets.archives import ArchiveEntry, looks_like_archive
from ml.datasets.file_names import TABLE, kind_of_file
from ml.datasets.names import OTHER_ARCHIVES, why_no_archive
from ml.datasets.readings import parse_layout

router = Router()


@router.post(
    "/projects/{slug}/uploads",
    response={
        200: PlanOut,
        201: schemas.UploadOut,
        202: schemas.JobRef,
        **errors(400, 404, 409, 413, 422),
    },
)
def upload(
    request: SignedIn,
    slug: str,
    file: File[list[UploadedFile]],
    class_name: str = params.Form("", alias="class"),
    layout: str = params.Form("", description="where an archive's classes are, such as first, last or table"),
    dry_run: bool = params.Form(False, description="only answer what is understood of an archive"),
) -> Any:
    """Upload pictures of one class (`file` repeated, and `class`), or one archive with its classes.

    A table of web addresses and classes is as an archive: a job fetches the pictures.

    Pictures are read at once and reported (201), and the frames of short videos likewise where that is installed, each
    with a line of its own. An archive is read by a job (202); if its layout is doubtful, the job
    waits for an answer, see `answer_upload`. With `dry_run`, the plan of an archive is answered and nothing is stored
    (200).
    """
    project = find_project(request, slug)
    archives = [part for part in file if looks_like_archive(part.name or "")]
    if archives and len(file) > 1:
        raise HttpError(422, "Send an archive alone, without other files.")
    if archives and dry_run:
        return plans.plan_archive(archives[0], parse_layout(layout)).describe_fully()
    if len(file) == 1 and kind_of_file(file[0].name or "") == TABLE:
        return _receive_table(request, project, file[0], layout, dry_run=dry_run)
    if archives:
        name = archives[0].name or "archive"
        received = uploads.receive_archive(project, archives[0], name, by=request.user, layout=layout)
        return Status(202, {"job": received.job_id})
    if len(file) == 1 and (file[0].name or "").lower().endswith(OTHER_ARCHIVES):
        raise HttpError(422, why_no_archive(file[0].name or ""))
    if dry_run or layout:
        raise HttpError(422, "“layout” and “dry_run” are for archives and tables. Send a zip or tar file.")
    label = projects.clean_class_name(class_name) if class_name.strip() else ""
    if not label:
        raise HttpError(422, "Give the class of the pictures in the field “class”.")
    entries = (ArchiveEntry(part.name or "", label, read_bounded(part), None) for part in file)  # one in memory
    stored, results = uploads.upload_files(project, f"{len(file)} pictures over the API", entries, by=request.user)
    return Status(201, {"upload": stored.pk, "results": [present_item(item) for item in results]})


def _receive_table(request: SignedIn, project: Project, file: UploadedFile, layout: str, *, dry_run: bool) -> Any:
    name = file.name or "table.csv"
    if dry_run:
        return plans.plan_table(file, name, parse_layout(layout)).describe_fully()
    received = uploads.receive_table(project, file, name, by=request.user, layout=layout)
    return Status(202, {"job": received.job_id})


@router.get("/sources", response={200: list[str], **errors()})
def list_sources(request: SignedIn) -> Any:
    """List the folders and buckets from which the administrator lets pictures be brought in."""
    return settings.IMPORT_FROM


@router.post(
    "/projects/{slug}/uploads/from-source",
    response={200: PlanOut, 202: schemas.JobRef, **errors(400, 404, 409, 413, 422)},
)
def upload_from_source(request: SignedIn, slug: str, payload: schemas.FromSourceIn) -> Any:
    """Bring in a folder, or an archive, of a source; with `dry_run`, only answer what is understood of it."""
    project = find_project(request, slug)
    if payload.dry_run:
        layout = parse_layout(payload.layout)
        return sources.plan_source(payload.source, payload.path, layout).describe_fully()
    upload = sources.ingest_source(project, payload.source, payload.path, by=request.user, layout=payload.layout)
    return Status(202, {"job": upload.job_id})


@router.post(
    "/projects/{slug}/uploads/{number}/answer",
    response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)},
)
def answer_upload(request: SignedIn, slug: str, number: int, payload: schemas.AnswerIn) -> Any:
    """Say how the archive of an upload is to be read whose job waits for an answer, in the words of its plan."""
    found = get_object_or_404(find_project(request, slug).uploads.select_related("job"), pk=number)
    uploads.answer_upload(found, [payload.layout])
    return Status(202, {"job": found.job_id})


@router.get("/projects/{slug}/uploads/{number}", response={200: schemas.UploadOut, **errors(404, 422)})
def get_upload(
    request: SignedIn,
    slug: str,
    number: int,
    after: int = params.Query(0, ge=0, le=2**31),
    size: int = params.Query(1000, ge=1, le=10_000),
) -> Any:
    """Return the report of an upload, in the order of the files; `after` skips that many."""
    found = get_object_or_404(find_project(request, slug).uploads, pk=number)
    items = found.items.order_by("pk")[after : after + size]
    described = [present_item(item) for item in items]
    return {"upload": found.pk, "results": described}


@router.get("/projects/{slug}/uploads", response={200: list[schemas.UploadSummary], **errors(404, 422)})
def list_uploads(request: SignedIn, slug: str) -> Any:
    """List the last hundred uploads."""
    return [present_upload(upload) for upload in selectors.list_uploads(find_project(request, slug))[:100]]


@router.post("/projects/{slug}/known", response={200: schemas.KnownOut, **errors(400, 404, 413, 422)})
def list_known(request: SignedIn, slug: str, payload: schemas.KnownIn) -> Any:
    """Tell which pictures, by the sha256 of their files, are samples of the project: they need not be sent again."""
    return {"known": known.list_known(find_project(request, slug), payload.sha256s)}


@router.delete("/projects/{slug}/uploads/{number}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_upload(request: SignedIn, slug: str, number: int) -> Any:
    """Delete the report of an upload. The pictures stay."""
    purging.forget_upload(get_object_or_404(find_project(request, slug).uploads, pk=number))
    return Status(204, None)
