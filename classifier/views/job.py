"""A job as it goes: the page asks for its living part every second, so a reload loses nothing."""

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.charts import draw_curve
from classifier.downloads import send_event_files
from classifier.jobs.kinds import KINDS, QUEUES
from classifier.jobs.lifecycle import cancel_job, read_state
from classifier.jobs.progress import job_progress
from classifier.models import Job, ModelVersion, Project, Sample
from classifier.tensorboard import proxy
from classifier.workers import missing_queues


def _find(request: SignedIn, project: Project, number: int) -> Job:
    job: Job = get_object_or_404(selectors.list_jobs(request.user).filter(project=project), number=number)
    return job


def _context(project: Project, job: Job) -> dict[str, object]:
    upload = getattr(job, "upload", None)
    ahead = Job.objects.filter(kind=job.kind, status__in=Job.OPEN, parent=None, pk__lt=job.pk).count()
    return {
        "project": project,
        "job": job,
        "progress": job_progress(job),
        "charts": draw_curve(job.curve),
        "upload": upload,
        "counts": selectors.upload_counts(upload) if upload else {},
        "export_version": _exported(job),
        "kind": KINDS[job.kind],
        "failed_sample": _failed_sample(job),
        "tensorboard": proxy.is_installed(),
        "ahead": ahead if job.status == Job.Status.QUEUED else 0,
        "no_worker": job.is_open and bool(missing_queues(QUEUES)),
    }


def _exported(job: Job) -> ModelVersion | None:
    """Return the version that an export job exports."""
    return ModelVersion.objects.filter(exports__job=job).select_related("project").first()


def _failed_sample(job: Job) -> Sample | None:
    """Find the picture that made the job fail, while it is in the project."""
    samples = Sample.objects.filter(project=job.project_id, deleted_at=None, pk=read_state(job).sample or 0)
    return samples.first()


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    found = selectors.list_jobs(request.user).filter(project=project)[:100]
    return render(request, "classifier/jobs_page.html", {"project": project, "jobs": found})


@project_page
def detail(request: SignedIn, project: Project, number: int) -> HttpResponse:
    return render(request, "classifier/job_page.html", _context(project, _find(request, project, number)))


@project_page
def part(request: SignedIn, project: Project, number: int) -> HttpResponse:
    job = _find(request, project, number)
    answer = render(request, "classifier/_job_part.html", _context(project, job))
    upload = getattr(job, "upload", None)
    if job.waits_for_answer and upload and upload.get_absolute_url() in request.headers.get("HX-Current-URL", ""):
        answer["HX-Refresh"] = "true"  # the page of the upload has the questions
    return answer


@project_page
def download_event_files(request: SignedIn, project: Project, number: int) -> FileResponse:
    return send_event_files(_find(request, project, number))


@project_page
@require_POST
def cancel(request: SignedIn, project: Project, number: int) -> HttpResponse:
    job = _find(request, project, number)
    if not cancel_job(job):
        messages.info(request, "The job has already ended.")
    return redirect(job)
