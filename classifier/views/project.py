"""A project's front page: its classes, their balance, and where to drop pictures."""

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page, project_page_for
from classifier.browser_features import may_use_camera
from classifier.forms import NameForm
from classifier.models import Project, Sample
from classifier.roles import Role
from classifier.services import audits, groups, leaks, readiness
from classifier.services.projects import rename_project
from classifier.views.candidate import candidate_context

STRIP = 6  # thumbnails beside each class
MAX_DAMAGED_NAMED = 5


@may_use_camera
@project_page_for(Role.CLASSIFIER)
def project(request: SignedIn, project: Project) -> HttpResponse:
    if project.role is Role.CLASSIFIER:
        return redirect("classify", project.slug)
    counts = selectors.class_counts(project)
    strips = _strips(project)
    largest = max(counts.values(), default=0)
    rows: list[dict[str, Any]] = [
        {
            "class": image_class,
            "count": counts.get(image_class.pk, 0),
            "share": round(100 * counts.get(image_class.pk, 0) / largest) if largest else 0,
            "strip": strips.get(image_class.pk, []),
        }
        for image_class in selectors.list_classes(project)
    ]
    leaked, live = leaks.count_leaked(project), selectors.live_version(project)
    context = {
        "project": project,
        "rows": rows,
        "total": sum(counts.values()),
        "unlabelled": selectors.list_samples(project, unlabelled=True).count(),
        "trashed": Sample.objects.filter(project=project, deleted_at__isnull=False).count(),
        "damaged": selectors.list_damaged_samples(project)[:MAX_DAMAGED_NAMED],
        "damaged_count": selectors.list_damaged_samples(project).count(),
        "waiting": project.contributions.count() if project.may_edit else 0,
        "leaked": leaked,
        "sources": settings.IMPORT_FROM,
        "without_leaks": leaks.accuracy_without_leaks(live) if leaked and live else None,
        "contradictions": len(groups.list_contradictions(project)),
        "contradictions_found": audits.list_findings(project, audits.CONTRADICTION).exists(),
        "findings": audits.count_findings(project),
        "getting_ready": readiness.find_open(project),
        "live": live,
        **candidate_context(project),
        "running": selectors.list_jobs(request.user).filter(project=project, status__in=("QUEUED", "RUNNING")),
        "offers_negative": len(rows) > 1 and not any(row["class"].is_negative for row in rows),
        "class_form": NameForm(label="Class name"),
    }
    return render(request, "classifier/project_page.html", context)


def _strips(project: Project) -> dict[int, list[str]]:
    """Collect the sha256s of the newest few pictures of each class, by its id, for all classes at once."""
    place = Window(RowNumber(), partition_by=F("image_class"), order_by=F("pk").desc())
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False).order_by()
    strips: dict[int, list[str]] = defaultdict(list)
    for image_class, sha256 in (
        kept.annotate(place=place).filter(place__lte=STRIP).values_list("image_class", "image__sha256")
    ):
        strips[image_class].append(sha256)
    return strips


@project_page
def readiness_part(request: SignedIn, project: Project) -> HttpResponse:
    context = {"project": project, "getting_ready": readiness.find_open(project), "asked": True}
    return render(request, "classifier/_readiness_part.html", context)


@project_page
@require_POST
def mend_splits(request: SignedIn, project: Project) -> HttpResponse:
    moved = leaks.mend_leaks(project)
    messages.success(
        request, f"{moved:,} picture{' has' if moved == 1 else 's have'} been moved. Train to see the effect."
    )
    return redirect(project)


@project_page
@require_POST
def rename(request: SignedIn, project: Project) -> HttpResponse:
    form = NameForm(request.POST)
    if form.is_valid():
        rename_project(project, form.cleaned_data["name"])
        messages.success(request, "The project has been renamed. Its address stays the same.")
    else:
        messages.error(request, str(form.errors["name"][0]))
    return redirect(project)
