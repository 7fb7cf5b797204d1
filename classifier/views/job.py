"""A job as it goes: its page asks for what has changed, so a reload loses nothing."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.charts import draw_curve
from classifier.downloads import send_event_files, send_job_log
from classifier.job_lists import PAGE, JobFilter, filter_jobs, make_rows
from classifier.jobs.kinds import KINDS
from classifier.jobs.progress import job_progress
from classifier.jobs.queueing import Place, find_place
from classifier.jobs.state import read_state
from classifier.jobs.wishes import can_stop
from classifier.live import make_ticket, stamp
from classifier.models import Job, ModelVersion, Project, Sample
from classifier.services import job_actions
from classifier.services.training import TrainingRefused
from classifier.tensorboard import proxy
from classifier.workers import missing_queues
from ml.errors import Conflict, UserError


def _find(request: SignedIn, project: Project, number: int) -> Job:
    job: Job = get_object_or_404(selectors.list_jobs(request.user).filter(project=project), number=number)
    return job


def _context(request: SignedIn, project: Project, job: Job) -> dict[str, object]:
    upload = getattr(job, "upload", None)
    place = find_place(job)
    return {
        "project": project,
        "job": job,
        "progress": job_progress(job),
        "ticket": make_ticket([job]),
        "stamp": stamp(job),
        "charts": draw_curve(job.curve),
        "upload": upload,
        "counts": selectors.upload_counts(upload) if upload else {},
        "export_version": _exported(job),
        "version_query": f"?version={job.result.get('model_version')}",
        "kind": KINDS[job.kind],
        "failed_sample": _failed_sample(job),
        "tensorboard": proxy.is_installed(),
        "can_stop": can_stop(job),
        "can_retry": job_actions.can_retry(job),
        "settings_query": job_actions.settings_query(job),
        "embedded": "embedded" in request.GET,
        "place": place,
        "ahead": _tell_ahead(request, place) if place else {},
        "log_lines": job.log_lines.all(),
        "no_worker": place is not None and bool(missing_queues((KINDS[job.kind].queue,))),
    }


def _tell_ahead(request: SignedIn, place: Place) -> dict[str, Any]:
    """Return the jobs ahead that the user may see, and how many others there are."""
    pks = [job.pk for job in place.ahead]
    theirs = set(selectors.list_jobs(request.user).filter(pk__in=pks).values_list("pk", flat=True))
    seen = [job for job in place.ahead if job.pk in theirs]
    return {"seen": seen, "others": len(place.ahead) - len(seen)}


def _exported(job: Job) -> ModelVersion | None:
    """Return the version that an export job exports."""
    return ModelVersion.objects.filter(exports__job=job).select_related("project").first()


def _failed_sample(job: Job) -> Sample | None:
    """Find the picture that made the job fail, while it is in the project."""
    samples = Sample.objects.filter(project=job.project_id, deleted_at=None, pk=read_state(job).sample or 0)
    return samples.first()


@login_required
def every(request: SignedIn) -> HttpResponse:
    """Show the jobs of all projects."""
    return _list(request, None)


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    return _list(request, project)


def _list(request: SignedIn, project: Project | None) -> HttpResponse:
    form = JobFilter(request.GET, user=request.user, project=project)
    chosen = form.chosen()
    before = request.GET.get("before", "")
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    where = {**chosen, "project": project.slug} if project else chosen
    jobs = list(filter_jobs(request.user, **where, before=last).defer("curve", "error_detail")[: PAGE + 1])
    context = {
        "base": "classifier/project_base.html" if project else "classifier/base.html",
        "project": project,
        "form": form,
        "filtered": bool(chosen or last),
        "rows": make_rows(jobs[:PAGE]),
        "older": urlencode({**chosen, "before": jobs[PAGE - 1].pk}) if len(jobs) > PAGE else "",
        "ticket": make_ticket(jobs[:PAGE]),
    }
    return render(request, f"classifier/{'_jobs_part' if request.htmx else 'jobs_page'}.html", context)


@project_page
def detail(request: SignedIn, project: Project, number: int) -> HttpResponse:
    return render(request, "classifier/job_page.html", _context(request, project, _find(request, project, number)))


@project_page
def part(request: SignedIn, project: Project, number: int) -> HttpResponse:
    job = _find(request, project, number)
    answer = render(request, "classifier/_job_part.html", _context(request, project, job))
    upload = getattr(job, "upload", None)
    if job.waits_for_answer and upload and upload.get_absolute_url() in request.headers.get("HX-Current-URL", ""):
        answer["HX-Refresh"] = "true"  # the page of the upload has the questions
    return answer


@project_page
def download_event_files(request: SignedIn, project: Project, number: int) -> FileResponse:
    return send_event_files(_find(request, project, number))


@project_page
def download_log(request: SignedIn, project: Project, number: int) -> StreamingHttpResponse:
    return send_job_log(_find(request, project, number))


@project_page
@require_POST
def cancel(request: SignedIn, project: Project, number: int) -> HttpResponse:
    return _act(request, _find(request, project, number), job_actions.cancel_job)


@project_page
@require_POST
def stop(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Let the job end its stage now with the best it has reached."""
    return _act(request, _find(request, project, number), job_actions.stop_job)


def _act(request: SignedIn, job: Job, act: Callable[[Job], None]) -> HttpResponse:
    """Do something with a job, and return to its page, which says why if that was too late."""
    try:
        act(job)
    except Conflict as refusal:
        messages.info(request, str(refusal))
    return redirect(job)


@project_page
@require_POST
def retry(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Queue the job again with the same settings; what cannot be is told."""
    job = _find(request, project, number)
    try:
        return redirect(job_actions.retry_job(job, by=request.user))
    except TrainingRefused as refusal:
        if refusal.preflight.running:
            return redirect(refusal.preflight.running)
        messages.error(request, str(refusal))
    except UserError as error:
        messages.error(request, str(error))
    return redirect(job)


@project_page
@require_POST
def delete(request: SignedIn, project: Project, number: int) -> HttpResponse:
    job = _find(request, project, number)
    try:
        job_actions.delete_job(job)
    except UserError as error:
        messages.error(request, str(error))
        return redirect(job)
    messages.success(request, f"Job {number} has been deleted. What it made is kept.")
    return redirect("jobs", project.slug)
