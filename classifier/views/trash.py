"""Deleting projects, versions, exports and reports of uploads, and the trash from which they come back."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page, project_page_for
from classifier.models import ModelVersion, Project
from classifier.roles import Role
from classifier.selectors import list_exports
from classifier.services import backbone_trash, purging
from classifier.services import trash as service
from classifier.services.backbone_trash import explain_need
from ml.errors import UserError

AT_ONCE = "at_once"  # the field with the name, typed, of what is to go at once


@login_required
def trash(request: SignedIn) -> HttpResponse:
    """List what the user has deleted, with the day on which it goes for good."""
    projects, versions = service.list_trashed_projects(request.user), service.list_trashed_versions(request.user)
    context = {
        "projects": _with_days(projects),
        "versions": _with_days(versions),
        "backbones": [
            (custom, service.leaves_at(custom.removed_at), explain_need(custom))
            for custom in backbone_trash.list_trashed_backbones(request.user)
            if custom.removed_at
        ],
        "days": settings.TRASH_DAYS,
    }
    return render(request, "classifier/trash_page.html", context)


def _with_days(trashed: Iterable[Project | ModelVersion]) -> list[tuple[Project | ModelVersion, datetime]]:
    return [(one, service.leaves_at(one.deleted_at)) for one in trashed if one.deleted_at]


def _act(request: SignedIn, act: Callable[[], object], done: str, then: Any = "trash") -> HttpResponse:
    """Do something with a thing in the trash, and go on to it; where that cannot be done, say why."""
    try:
        act()
    except UserError as error:
        messages.error(request, str(error))
        return redirect("trash")
    messages.success(request, done)
    return redirect(then)


@login_required
@require_POST
def restore_project(request: SignedIn, slug: str) -> HttpResponse:
    project = get_object_or_404(service.list_trashed_projects(request.user), slug=slug)
    return _act(request, lambda: service.restore_project(project), "The project is back.", project)


@login_required
@require_POST
def purge_project(request: SignedIn, slug: str) -> HttpResponse:
    """Delete a project in the trash for good, if its name was typed."""
    project = get_object_or_404(service.list_trashed_projects(request.user), slug=slug)

    def act() -> None:
        service.check_name(project, request.POST.get(AT_ONCE, ""))
        purging.request_purge(project, by=request.user)

    return _act(request, act, "The project is being deleted for good.")


@login_required
@require_POST
def restore_backbone(request: SignedIn, pk: int) -> HttpResponse:
    custom = get_object_or_404(backbone_trash.list_trashed_backbones(request.user), pk=pk)
    return _act(request, lambda: backbone_trash.restore_backbone(custom), f"“{custom.title}” is back.", custom)


@login_required
@require_POST
def purge_backbone(request: SignedIn, pk: int) -> HttpResponse:
    custom = get_object_or_404(backbone_trash.list_trashed_backbones(request.user), pk=pk)
    done = f"“{custom.title}” has been deleted for good."
    return _act(request, lambda: backbone_trash.purge_backbone(custom), done)


@login_required
@require_POST
def restore_version(request: SignedIn, pk: int) -> HttpResponse:
    version = get_object_or_404(service.list_trashed_versions(request.user), pk=pk)
    return _act(request, lambda: service.restore_version(version), "The version is back.", version)


@login_required
@require_POST
def purge_version(request: SignedIn, pk: int) -> HttpResponse:
    version = get_object_or_404(service.list_trashed_versions(request.user), pk=pk)
    return _act(request, lambda: purging.purge_version(version), "The version has been deleted for good.")


@project_page_for(Role.OWNER)
def delete_project(request: SignedIn, project: Project) -> HttpResponse:
    """Say what goes with a project; move it to the trash, or delete it at once if its name was typed."""
    if request.method != "POST":
        return _ask(request, project, project.name, service.consequences_of_project(project))
    at_once = AT_ONCE in request.POST
    try:
        if at_once:
            service.check_name(project, request.POST[AT_ONCE])
    except service.NotItsName as error:
        consequences = service.consequences_of_project(project)
        return _ask(request, project, project.name, consequences, wrong=str(error), status=422)
    service.delete_project(project)
    if at_once:
        purging.request_purge(project, by=request.user)
    messages.success(request, f"“{project.name}” is {'being deleted for good' if at_once else 'in the trash'}.")
    return redirect("project_list")


@project_page_for(Role.EDITOR)
def delete_version(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Say what goes with a version, and move it to the trash."""
    version = get_object_or_404(project.model_versions, number=number)
    if request.method != "POST":
        return _ask(request, project, version.title, service.consequences_of_version(version), version=version)
    try:
        service.delete_version(version)
    except UserError as error:
        messages.error(request, str(error))
        return redirect(version)
    messages.success(request, f"{version.title} is in the trash.")
    return redirect("versions", project.slug)


@project_page
@require_POST
def delete_export(request: SignedIn, project: Project, number: int, format: str) -> HttpResponse:
    version = get_object_or_404(project.model_versions, number=number)
    purging.delete_export(get_object_or_404(list_exports(version), format=format))
    messages.success(request, "The file has been deleted. It can be created again.")
    return redirect(f"{version.get_absolute_url()}#exports")


@project_page
@require_POST
def delete_upload(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Delete the report of an upload; its pictures stay."""
    purging.forget_upload(get_object_or_404(project.uploads, pk=pk))
    messages.success(request, "The report has been deleted. The pictures are still there.")
    return redirect("uploads", project.slug)


def _ask(
    request: SignedIn, project: Project, name: str, consequences: service.Consequences, status: int = 200, **more: Any
) -> HttpResponse:
    context = {"project": project, "name": name, "goes": consequences, "days": settings.TRASH_DAYS, **more}
    return render(request, "classifier/delete_page.html", context, status=status)
