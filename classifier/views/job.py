"""A job as it goes: the page asks for its living part every second, so a reload loses nothing."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import boards, selectors
from classifier.charts import draw_curve
from classifier.jobs.lifecycle import cancel_job
from classifier.models import Job, ModelVersion, Project
from classifier.services.summaries import open_summaries, summaries_name
from classifier.views.access import SignedIn, project_page
from classifier.workers import missing_queues


def _find(request: SignedIn, project: Project, pk: int) -> Job:
    job: Job = get_object_or_404(selectors.list_jobs(request.user).filter(project=project), pk=pk)
    return job


def _context(project: Project, job: Job) -> dict[str, object]:
    upload = getattr(job, "upload", None)
    ahead = Job.objects.filter(kind=job.kind, status__in=Job.OPEN, parent=None, pk__lt=job.pk).count()
    return {
        "project": project,
        "job": job,
        "progress": selectors.job_progress(job),
        "charts": draw_curve(job.curve),
        "upload": upload,
        "counts": selectors.upload_counts(upload) if upload else {},
        "export_version": _exported(job),
        "board": boards.is_installed(),
        "ahead": ahead if job.status == Job.Status.QUEUED else 0,
        "no_worker": job.is_open and bool(missing_queues(("ingest", "embed", "train"))),
    }


def _exported(job: Job) -> ModelVersion | None:
    """What an export job is about."""
    return ModelVersion.objects.filter(exports__job=job).select_related("project").first()


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    found = selectors.list_jobs(request.user).filter(project=project)[:100]
    return render(request, "classifier/jobs_page.html", {"project": project, "jobs": found})


@project_page
def detail(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    return render(request, "classifier/job_page.html", _context(project, _find(request, project, pk)))


@project_page
def part(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    return render(request, "classifier/_job_part.html", _context(project, _find(request, project, pk)))


@project_page
def download_summaries(request: SignedIn, project: Project, pk: int) -> FileResponse:
    return send_summaries(_find(request, project, pk))


def send_summaries(job: Job) -> FileResponse:
    """Raises Http404 where there are none."""
    try:
        file = open_summaries(job)
    except OSError:
        raise Http404 from None
    name = f"{summaries_name(job)}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


@project_page
@require_POST
def cancel(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    job = _find(request, project, pk)
    if not cancel_job(job):
        messages.info(request, "The job had already ended.")
    return redirect(job)
