"""Bringing pictures in from the browser: one request a picture, an archive as a whole, and the report."""

import csv
from collections.abc import Iterator

from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.jobs.kinds import KINDS
from classifier.jobs.progress import job_progress
from classifier.models import Project, Upload, UploadItem
from classifier.parsing import parse_number
from classifier.services import uploads
from classifier.services.images import read_bounded
from ml.datasets.archives import looks_like_archive

PAGE = 200


def _error(sentence: str, status: int) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)


@project_page
@require_POST
def start(request: SignedIn, project: Project) -> HttpResponse:
    """Start an upload, to which the browser then sends pictures one by one; they share a report."""
    upload = uploads.start_upload(project, request.POST.get("source", "") or "Pictures", by=request.user)
    return JsonResponse({"upload": upload.pk, "url": upload.get_absolute_url()}, status=201)


@project_page
@require_POST
def picture(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Add one picture with its class to an upload."""
    upload = get_object_or_404(project.uploads.select_related("project"), pk=pk, job=None)
    file = request.FILES.get("file")
    if file is None:
        return _error("The request does not contain a file.", 422)
    name = request.POST.get("name") or file.name or ""
    (item,) = uploads.add_pictures(upload, [(name, request.POST.get("class", ""), read_bounded(file))])
    return JsonResponse({"status": item.status, "reason": item.reason}, status=201)


@project_page
@require_POST
def archive(request: SignedIn, project: Project) -> HttpResponse:
    """Receive an archive, which a job then reads."""
    file = request.FILES.get("file")
    if file is None or not looks_like_archive(file.name or ""):
        return _error("Choose a .zip, .tar, .tgz, .tar.gz, .tar.bz2 or .tar.xz file.", 422)
    upload = uploads.receive_archive(project, file, file.name or "archive", by=request.user)
    return JsonResponse({"upload": upload.pk, "url": upload.get_absolute_url()}, status=202)


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    context = {"project": project, "uploads": selectors.list_uploads(project)[:100]}
    return render(request, "classifier/uploads_page.html", context)


@project_page
def detail(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    upload = get_object_or_404(project.uploads.select_related("job", "project"), pk=pk)
    status = request.GET.get("status", "")
    items = upload.items.order_by("pk")
    if status in UploadItem.Status.values:
        items = items.filter(status=status)
    page = list(items.filter(pk__gt=parse_number(request.GET.get("after")) or 0)[: PAGE + 1])
    context = {
        "project": project,
        "upload": upload,
        "job": upload.job,
        "kind": KINDS[upload.job.kind] if upload.job else None,
        "progress": job_progress(upload.job) if upload.job else None,
        "counts": selectors.upload_counts(upload),
        "status": status,
        "items": page[:PAGE],
        "next": page[PAGE - 1].pk if len(page) > PAGE else None,
    }
    return render(request, "classifier/upload_page.html", context)


class _Echo:
    """A file for the csv module that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(upload: Upload) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["file", "class", "status", "reason"])
    for item in upload.items.order_by("pk").iterator(chunk_size=2000):
        cells = (item.file_name, item.class_name, item.get_status_display(), item.reason)
        yield writer.writerow([_harmless(cell) for cell in cells])


def _harmless(cell: str) -> str:
    """Put a quote before a cell that a spreadsheet would run as a formula, so that it is only text."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


@project_page
def report(request: SignedIn, project: Project, pk: int) -> HttpResponseBase:
    upload = get_object_or_404(project.uploads, pk=pk)
    name = f"{slugify(project.name) or 'project'}-upload-{upload.pk}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_csv_lines(upload), content_type="text/csv; charset=utf-8", headers=headers)
