"""Backbones that people bring along, and classifiers that become versions."""

from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.progress import job_progress
from classifier.models import Network, Project
from classifier.network_forms import BackboneForm, ImportForm
from classifier.services.networks import remove_network, request_backbone, request_import
from classifier.services.projects import InvalidName
from classifier.views.access import SignedIn, View, project_page
from classifier.workers import missing_queues
from ml.errors import ImportRefused


def network_page(view: View) -> View:
    """Calls view(request, network) for its owner; for anybody else there is no such page."""

    @login_required
    @wraps(view)
    def guarded(request: SignedIn, pk: int) -> HttpResponseBase:
        return view(request, get_object_or_404(selectors.list_networks(request.user), pk=pk))

    return guarded


def _sent(request: SignedIn) -> tuple[Any, Any]:
    """What a form is bound to; an empty one that was sent is wrong, not new."""
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
            return redirect("network", job.networks.get().pk)
        except (ImportRefused, InvalidName) as error:
            form.add_error("address" if values["address"] else "file", str(error))
    context = {"form": form, "networks": selectors.list_networks(request.user)}
    return render(request, "classifier/networks_page.html", context, status=422 if form.errors else 200)


@network_page
def detail(request: SignedIn, network: Network) -> HttpResponse:
    return render(request, "classifier/network_page.html", _context(network))


@network_page
def part(request: SignedIn, network: Network) -> HttpResponse:
    return render(request, "classifier/_network_part.html", _context(network))


def _context(network: Network) -> dict[str, object]:
    job = network.job
    waits = job is not None and job.is_open and bool(missing_queues(("train",)))
    progress = job_progress(job) if job else None
    return {"network": network, "job": job, "progress": progress, "no_worker": waits}


@network_page
@require_POST
def cancel(request: SignedIn, network: Network) -> HttpResponse:
    if network.job is None or not cancel_job(network.job):
        messages.info(request, "The job had already ended.")
    return redirect(network)


@network_page
@require_POST
def remove(request: SignedIn, network: Network) -> HttpResponse:
    remove_network(network)
    messages.success(request, f"“{network.title}” is no longer offered. What was trained with it goes on.")
    return redirect("network_list")


@project_page
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
