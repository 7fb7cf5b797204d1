"""Backbones that people add, and classifiers that they import as versions."""

from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, View, project_page_for
from classifier.catalogue import custom_backbone_facts
from classifier.custom_backbone_forms import BackboneForm, ImportForm, ReimportForm
from classifier.jobs.kinds import KINDS
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.progress import job_progress
from classifier.jobs.queueing import waits_for_worker
from classifier.live import make_ticket, stamp
from classifier.models import CustomBackbone, Project
from classifier.roles import Role
from classifier.services.backbone_trash import remove_backbone
from classifier.services.custom_backbones import request_backbone, request_import, request_reimport
from classifier.services.projects import InvalidName
from classifier.workers import missing_queues
from ml.errors import ImportRefused


def backbone_page(view: View) -> View:
    """Call view(request, custom) for the backbone's owner; raise Http404 for anybody else."""

    @login_required
    @wraps(view)
    def guarded(request: SignedIn, pk: int) -> HttpResponseBase:
        return view(request, get_object_or_404(selectors.list_custom_backbones(request.user), pk=pk))

    return guarded


def _sent(request: SignedIn) -> tuple[Any, Any]:
    """Return what a form is bound to: an empty form that was sent is invalid, not new."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


@login_required
def index(request: SignedIn) -> HttpResponse:
    form = BackboneForm(*_sent(request))
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            job = request_backbone(
                by=request.user,
                address=values["address"],
                file=values["file"],
                title=values["title"],
                licence=values["licence"],
                **form.asked(),
            )
            return redirect("backbone", job.custom_backbones.get().pk)
        except (ImportRefused, InvalidName) as error:
            form.add_error("address" if values["address"] else "file", str(error))
    backbones = selectors.list_custom_backbones(request.user)
    rows = [{"backbone": custom, "facts": custom_backbone_facts(custom)} for custom in backbones]
    context = {"form": form, "rows": rows}
    return render(request, "classifier/custom_backbones_page.html", context, status=422 if form.errors else 200)


@backbone_page
def detail(request: SignedIn, custom: CustomBackbone) -> HttpResponse:
    return render(request, "classifier/custom_backbone_page.html", _context(custom))


@backbone_page
def part(request: SignedIn, custom: CustomBackbone) -> HttpResponse:
    return render(request, "classifier/_custom_backbone_part.html", _context(custom))


def _context(custom: CustomBackbone) -> dict[str, object]:
    job = custom.job
    facts = custom_backbone_facts(custom)
    if job is None:
        return {"backbone": custom, "facts": facts}
    waits = waits_for_worker(job) and bool(missing_queues((KINDS[job.kind].queue,)))
    live = {"progress": job_progress(job), "ticket": make_ticket([job]), "stamp": stamp(job)}
    return {"backbone": custom, "facts": facts, "job": job, "no_worker": waits, **live}


@backbone_page
@require_POST
def cancel(request: SignedIn, custom: CustomBackbone) -> HttpResponse:
    if custom.job is None or not cancel_job(custom.job):
        messages.info(request, "The job has already ended.")
    return redirect(custom)


@backbone_page
@require_POST
def remove(request: SignedIn, custom: CustomBackbone) -> HttpResponse:
    remove_backbone(custom)
    messages.success(request, f"“{custom.title}” has been deleted. Versions that use it keep working.")
    return redirect("backbone_list")


@project_page_for(Role.EDITOR)
def import_version(request: SignedIn, project: Project) -> HttpResponse:
    form = ImportForm(*_sent(request))
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            return redirect(
                request_import(project, values["graph"], by=request.user, labels=values["labels"], **form.asked())
            )
        except ImportRefused as error:
            form.add_error("graph", str(error))
    context = {"project": project, "form": form}
    return render(request, "classifier/import_page.html", context, status=422 if form.errors else 200)


@project_page_for(Role.EDITOR)
@require_POST
def reimport_version(request: SignedIn, project: Project, number: int) -> HttpResponse:
    version = get_object_or_404(project.model_versions.select_related("dataset_version", "project"), number=number)
    form = ReimportForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a range and a framing from the lists.")
        return redirect(version)
    try:
        return redirect(request_reimport(version, by=request.user, **form.cleaned_data))
    except ImportRefused as error:
        messages.error(request, str(error))
        return redirect(version)
