"""A project's pictures to take away, and its dataset versions: looked at, compared, restored."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page, project_page_for
from classifier.downloads import choose_source, send_pictures
from classifier.models import DatasetVersion, Project
from classifier.parsing import parse_number
from classifier.roles import Role
from classifier.sample_filters import parse_filter
from classifier.selectors import dataset_class_names
from classifier.services.dataset_comparison import KINDS, compare_states, current_state, state_of_version
from classifier.services.dataset_pages import page_of_differences, page_of_version
from classifier.services.dataset_restoring import count_purged, restore_version
from classifier.services.history import count_pictures
from classifier.services.untested import tell_untested
from classifier.views.acts import tell
from classifier.views.sample_actions import chosen
from ml.datasets.splits import SPLITS
from ml.errors import UserError

PAGE, FEW = 100, 12


@project_page_for(Role.VIEWER)
def download(request: SignedIn, project: Project) -> HttpResponseBase:
    """Send the pictures that match the filter in the address, those of a dataset version, or those that are chosen."""
    if request.method == "POST":
        return send_pictures(project, chosen(request, project))
    asked, only = request.GET.get("dataset_version"), bool(request.GET.get("manifest_only"))
    number = parse_number(asked) if asked else None
    if asked and number is None:
        raise Http404
    wanted = parse_filter(request.GET, ignored=("dataset_version", "manifest_only"))
    return send_pictures(project, choose_source(project, wanted, number), manifest_only=only)


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    versions = project.dataset_versions.select_related("created_by").prefetch_related("model_versions")
    return render(request, "classifier/datasets_page.html", {"project": project, "versions": versions})


def _find(project: Project, number: int) -> DatasetVersion:
    return get_object_or_404(project.dataset_versions.select_related("project"), number=number)


@project_page
def detail(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show the pictures that a version holds."""
    version, after = _find(project, number), request.GET.get("after", "")
    class_id, split = parse_number(request.GET.get("class_id")), request.GET.get("split", "")
    split = split if split in SPLITS else ""
    pictures, following, count = page_of_version(version, class_id=class_id, split=split, after=after, size=PAGE)
    more = _query(class_id=class_id, split=split, after=following) if following else ""
    context = {"project": project, "version": version, "pictures": pictures, "next": more, "count": count}
    if request.htmx and after:
        return render(request, "classifier/_dataset_pictures.html", context)
    return render(
        request,
        "classifier/dataset_page.html",
        {
            **context,
            "class_id": class_id,
            "split": split,
            "splits": SPLITS,
            "classes": list(zip([pk for pk, _ in version.classes], dataset_class_names(version), strict=True)),
            "purged": count_purged(version),
            "untested": tell_untested(version),
            "others": project.dataset_versions.exclude(pk=version.pk),
            "models": version.model_versions.all(),
        },
    )


def _query(**said: Any) -> str:
    """Return the query of an address of this page, without what is empty."""
    return urlencode({name: value for name, value in said.items() if value})


@project_page
def compare(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show what came, went or changed its place between a version and another one, or what there is now."""
    version, other = _find(project, number), _other(request, project)
    found = compare_states(state_of_version(version), state_of_version(other) if other else current_state(project))
    versions = [version, *([other] if other else [])]
    only = request.GET.get("show", "") if request.GET.get("show") in KINDS else ""
    after, with_ = request.GET.get("after", "") if only else "", other.number if other else ""
    parts: list[dict[str, Any]] = []
    for kind in [only] if only else KINDS:
        differences, here = getattr(found, kind), {"with": with_, "show": kind}
        pictures, following = page_of_differences(versions, differences, after=after, size=PAGE if only else FEW)
        part = {"title": KINDS[kind], "count": len(differences), "pictures": pictures, "next": following}
        more = _query(**here, after=following) if only and following else ""
        parts.append({**part, "all": _query(**here), "more": more})
    context = {"project": project, "version": version, "other": other, "parts": parts, "only": only}
    if request.htmx and after:
        return render(request, "classifier/_dataset_pictures.html", {**context, **parts[0], "next": parts[0]["more"]})
    rest = {"purged": 0 if other else count_purged(version), "same": not any(part["count"] for part in parts)}
    return render(request, "classifier/dataset_comparison_page.html", {**context, **rest})


def _other(request: SignedIn, project: Project) -> DatasetVersion | None:
    """Return the version to compare with; None for what there is now."""
    asked = request.GET.get("with", "")
    if not asked:
        return None
    return get_object_or_404(project.dataset_versions, number=parse_number(asked) or 0)


@project_page
@require_POST
def restore(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Make the project's pictures those of the version."""
    try:
        act, purged = restore_version(_find(project, number), by=request.user)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("dataset", project.slug, number)
    gone = f" Deleted for good, and not to be had back: {count_pictures(purged)}." if purged else ""
    changed = f"which changed {count_pictures(act.count)}"
    tell(request, act, f"The pictures are those of dataset version {number} again, {changed}.{gone}")
    return redirect(project)
