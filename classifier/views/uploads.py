"""Bringing pictures in from the browser: one request a picture, an archive as a whole, and the report."""

import csv
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.jobs.kinds import KINDS
from classifier.jobs.progress import job_progress
from classifier.jobs.state import read_state
from classifier.live import make_ticket, stamp
from classifier.models import Job, Project, Upload, UploadItem
from classifier.parsing import parse_number
from classifier.services import known, plans, uploads
from classifier.services.images import read_bounded
from classifier.services.outcomes import Outcome
from classifier.services.quotas import check_quota
from classifier.services.web_uploads import fetch_planned
from ml.datasets.archives import ArchiveEntry, looks_like_archive
from ml.datasets.cells import protect_cell
from ml.datasets.file_names import TABLE, kind_of_file
from ml.datasets.names import why_no_archive
from ml.datasets.plan import Plan
from ml.datasets.readings import BadLayout, Layout, combine, parse_layout
from ml.datasets.splits import SPLITS
from ml.errors import Conflict

PAGE = 200
MOST_ANNOUNCED = 10**9
_BEST_FIRST = [
    status.value for status in (UploadItem.Status.STORED, UploadItem.Status.DUPLICATE, UploadItem.Status.REJECTED)
]


def _error(sentence: str, status: int) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)


@project_page
@require_POST
def start(request: SignedIn, project: Project) -> HttpResponse:
    """Start an upload, to which the browser then sends pictures one by one; they share a report.

    What the plan of a folder leaves out comes along as JSON, [[path, reason], ...], for the report.
    """
    left_out = plans.read_left_out(_read_part(request, "left_out"))
    announced = parse_number(request.POST.get("announced"))
    announced = announced if announced is not None and announced <= MOST_ANNOUNCED else None
    source = request.POST.get("source", "") or "Pictures"
    check_quota(project)
    upload = uploads.start_upload(project, source, by=request.user, announced=announced)
    for start_at in range(0, len(left_out), uploads.BATCH):
        uploads.add_read(upload, left_out[start_at : start_at + uploads.BATCH])
    return JsonResponse({"upload": upload.pk, "url": upload.get_absolute_url()}, status=201)


@project_page
@require_POST
def picture(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Add one picture with its class to an upload."""
    upload = get_object_or_404(project.uploads.select_related("project"), pk=pk, job=None)
    file = request.FILES.get("file")
    if file is None:
        return _error("The request does not contain a file.", 422)
    label = None if request.POST.get("unlabelled") else request.POST.get("class", "")
    split, group = request.POST.get("split", ""), request.POST.get("group", "")
    name, frames = request.POST.get("name") or file.name or "", request.POST.get("frames", "")
    entry = ArchiveEntry(name, label, read_bounded(file), None, split if split in SPLITS else "", group)
    uploads.note_sign(upload)
    items = uploads.add_read(upload, [entry], rate=parse_layout(f"auto,frames={frames}").frames if frames else None)
    return JsonResponse(_sum_up(items), status=201)


def _sum_up(items: list[Outcome]) -> dict[str, str]:
    """Return what became of a file; a video is stored if any of its frames is."""
    best = min(items, key=lambda item: _BEST_FIRST.index(item.status))
    stored = sum(item.status == UploadItem.Status.STORED for item in items)
    said = best.reason if len(items) == 1 else f"{stored} of its {len(items)} pictures are new."
    return {"status": best.status, "reason": said}


@project_page
@require_POST
def report_known(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Report those files of a folder that are there already, by their sha256; answer [[place, reason], ...]."""
    upload = get_object_or_404(project.uploads.select_related("project"), pk=pk, job=None)
    uploads.note_sign(upload)
    files = known.read_known_files(_read_part(request, "files"))
    return JsonResponse({"known": list(known.record_known(upload, files).items())})


@project_page
@require_POST
def plan(request: SignedIn, project: Project) -> HttpResponse:
    """Plan a folder whose paths the browser sends: answer a part of the page, and what becomes of each file.

    `kinds` are [class or null, split, group, reason or null]; `files` is the place of its kind for each path, or -1 for
    what is passed over. `frames` is how many a second videos become, null if nobody has decided.
    """
    layout = combine([*request.POST.getlist("layout"), *_by_hand(request)])
    found, places = _plan_folder(request, layout)
    kinds, of_file = plans.number_verdicts(found, places)
    context = {"project": project, "plan": found.describe_fully(), "asking": True}
    html = render_to_string("classifier/_plan.html", context, request)
    return JsonResponse(
        {
            "html": html,
            "ready": not found.questions,
            "web": len(found.web),
            "layout": str(layout),
            "kinds": kinds,
            "files": of_file,
            "frames": found.layout.frames,
        }
    )


def _plan_folder(request: SignedIn, layout: Layout) -> tuple[Plan, list[bool]]:
    names, files = request.POST.getlist("table_path"), request.FILES.getlist("table")
    return plans.plan_paths(_read_part(request, "paths"), dict(zip(names, files, strict=False)), layout)


@project_page
@require_POST
def fetch(request: SignedIn, project: Project) -> HttpResponse:
    """Fetch the pictures at web addresses that a folder's tables name, as `plan` has read it with the same fields."""
    layout = combine([*request.POST.getlist("layout"), *_by_hand(request)])
    upload = fetch_planned(project, _plan_folder(request, layout)[0], request.POST.get("source", ""), by=request.user)
    return JsonResponse({"upload": upload.pk, "url": upload.get_absolute_url()}, status=202)


def _read_part(request: SignedIn, name: str) -> bytes:
    """Read what came as a file because a form's field may not be as long."""
    part = request.FILES.get(name)
    return bytes(part.read()) if part is not None else b"[]"


@project_page
@require_POST
def answer(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Let the job of an upload go on that asked how its archive is to be read."""
    upload = get_object_or_404(project.uploads.select_related("job", "project"), pk=pk)
    try:
        uploads.answer_upload(upload, _answers(request, upload), accept="accept" in request.POST)
    except (BadLayout, Conflict) as error:
        messages.error(request, str(error))
    return redirect(upload)


def _answers(request: SignedIn, upload: Upload) -> list[str]:
    """Return the chosen option of each question, and what was written by hand. Raise BadLayout."""
    asked = (read_state(upload.job).plan or {}).get("questions", []) if upload.job else []
    chosen = [request.POST[question["key"]] for question in asked if request.POST.get(question["key"])]
    by_hand = _by_hand(request)
    if len(chosen) < len(asked) and not by_hand:
        raise BadLayout("Choose one answer to each question.")
    return [*chosen, *by_hand]


def _by_hand(request: SignedIn) -> list[str]:
    """Return the reading and the groups that were written by hand, as layouts."""
    other, groups = (request.POST.get(name, "").strip() for name in ("other", "groups"))
    return [text for text in (other, f"auto,groups={groups}" if groups else "") if text]


@project_page
@require_POST
def archive(request: SignedIn, project: Project) -> HttpResponse:
    """Receive an archive, which a job then reads."""
    file = request.FILES.get("file")
    is_table = file is not None and kind_of_file(file.name or "") == TABLE
    if file is None or not (is_table or looks_like_archive(file.name or "")):
        return _error(why_no_archive(file.name if file and file.name else ""), 422)
    receive = uploads.receive_table if is_table else uploads.receive_archive
    upload = receive(project, file, file.name or "archive", by=request.user, confirm=True)
    return JsonResponse({"upload": upload.pk, "url": upload.get_absolute_url()}, status=202)


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    """List the uploads; what was interrupted can be gone on with here."""
    found = list(selectors.list_uploads(project)[:100])
    context = {
        "project": project,
        "uploads": found,
        "sending": any(upload.is_being_sent for upload in found),
        "rows": [{"class": image_class} for image_class in selectors.list_classes(project)],
        "sources": settings.IMPORT_FROM,
    }
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
        **_plan_context(upload.job),
        "kind": KINDS[upload.job.kind] if upload.job else None,
        **_live_context(upload.job),
        "counts": selectors.upload_counts(upload),
        "status": status,
        "items": page[:PAGE],
        "next": page[PAGE - 1].pk if len(page) > PAGE else None,
    }
    return render(request, "classifier/upload_page.html", context)


def _live_context(job: Job | None) -> dict[str, Any]:
    """Return what the page shows of the job that reads the upload, and keeps up to date."""
    if job is None:
        return {}
    return {"progress": job_progress(job), "ticket": make_ticket([job]), "stamp": stamp(job)}


def _plan_context(job: Job | None) -> dict[str, Any]:
    """Return what the page tells of the plan: with questions, if the job waits for an answer."""
    state = read_state(job) if job else None
    if job is None or state is None or state.plan is None:
        return {}
    return {"plan": state.plan, "thumbnails": state.thumbnails, "asking": job.waits_for_answer and job.is_open}


class _Echo:
    """A file for the csv module that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(upload: Upload) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["file", "class", "status", "reason"])
    for item in upload.items.order_by("pk").iterator(chunk_size=2000):
        cells = (item.file_name, item.class_name, item.get_status_display(), item.reason)
        yield writer.writerow([protect_cell(cell) for cell in cells])


@project_page
def report(request: SignedIn, project: Project, pk: int) -> HttpResponseBase:
    upload = get_object_or_404(project.uploads, pk=pk)
    name = f"{slugify(project.name) or 'project'}-upload-{upload.pk}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_csv_lines(upload), content_type="text/csv; charset=utf-8", headers=headers)
