"""Two versions beside each other, on the pictures that both were tested on."""

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.catalogue import backbone_title
from classifier.comparison_tables import classes_table
from classifier.comparison_words import describe_verdict
from classifier.evaluation_choices import find_version
from classifier.models import ModelVersion, Project
from classifier.parsing import parse_number, parse_numbers
from classifier.sample_filters import SampleFilter
from classifier.selectors import samples_of_images
from classifier.services.dataset_comparison import KINDS
from classifier.services.version_comparison import BACKBONE, Change, Setting, VersionComparison, compare_versions
from classifier.table_files import send
from classifier.views.pictures import choices
from ml.errors import UserError

PAGE = 60
SHOWN = ("fixed", "broken")


@project_page
def compare(request: SignedIn, project: Project) -> HttpResponse:
    """Compare the two versions that the address names; ask for two where it does not."""
    pair = _pair(request, project)
    versions = project.model_versions.select_related("project").order_by("-number")
    context: dict[str, Any] = {"project": project, "versions": versions, "live": selectors.live_version(project)}
    if pair is None:
        asked = parse_numbers(request.GET.getlist("v"))
        return render(request, "classifier/comparison_page.html", {**context, "too_many": len(asked) > 2})
    before, after = pair
    context |= {"before": before, "after": after, "pair": f"v={before.number}&v={after.number}"}
    try:
        found = compare_versions(before, after)
        context |= {"found": found, **describe_comparison(found, before, after)}
        show = request.GET.get("show")
        context |= changed_pictures(request, found, before, after, show) if show in SHOWN else {}
    except (UserError, OSError) as error:
        context["error"] = str(error) if isinstance(error, UserError) else "Their files cannot be read now."
    return render(request, "classifier/comparison_page.html", context)


def _pair(request: HttpRequest, project: Project) -> tuple[ModelVersion, ModelVersion] | None:
    """Return the two versions, the older first; None if the address does not name two."""
    numbers = sorted(set(parse_numbers(request.GET.getlist("v"))))
    if len(numbers) != 2:
        return None
    return find_version(project, numbers[0]), find_version(project, numbers[1])


def describe_comparison(found: VersionComparison, before: ModelVersion, after: ModelVersion) -> dict[str, Any]:
    """Return the verdict and the figures of a comparison."""
    return {
        "verdict": describe_verdict(found, before.number, after.number),
        "share_before": found.hits_before / found.n if found.n else None,
        "share_after": found.hits_after / found.n if found.n else None,
        "settings": [_with_title(one) if one.label == BACKBONE else one for one in found.settings],
        "data": [(title, found.data[kind]) for kind, title in KINDS.items() if found.data[kind]],
    }


def _with_title(setting: Setting) -> Setting:
    """Return the setting with what people call the two backbones."""
    return replace(setting, before=backbone_title(setting.before), after=backbone_title(setting.after))


@project_page
def pictures(request: SignedIn, project: Project) -> HttpResponse:
    """Show the pictures that the second version fixed, or broke; a page of them after the first."""
    pair = _pair(request, project)
    if pair is None or not request.htmx:
        return redirect(f"{reverse('version_compare', args=[project.slug])}?{request.GET.urlencode()}")
    before, after = pair
    show = request.GET.get("show")
    if show not in SHOWN:
        raise Http404
    try:
        context = changed_pictures(request, compare_versions(before, after), before, after, show)
    except UserError as error:
        return render(request, "classifier/_changed.html", {"error": str(error)})
    template = "_samples" if "offset" in request.GET else "_changed"
    return render(request, f"classifier/{template}.html", {**context, "project": project})


def changed_pictures(
    request: SignedIn, found: VersionComparison, before: ModelVersion, after: ModelVersion, show: str
) -> dict[str, Any]:
    """Return what a page shows of the pictures that the second version fixed, or broke."""
    offset = min(parse_number(request.GET.get("offset")) or 0, 10**7)
    changes = found.fixed if show == "fixed" else found.broken
    page = {one.sha256: one for one in changes[offset : offset + PAGE]}
    samples = samples_of_images(before.project, page)
    names = {pk: name for version in (before, after) for pk, name in version.dataset_version.classes}
    names |= dict(selectors.list_every_class(before.project).values_list("pk", "name"))
    for sample in samples:
        sample.note = _note(page[sample.image.sha256], names, show)  # type: ignore[attr-defined] # shown on its card
    right, wrong = (after, before) if show == "fixed" else (before, after)
    grid = SampleFilter(right=right.number, wrong=wrong.number)
    query = f"v={before.number}&v={after.number}&show={show}&offset={offset + PAGE}"
    address = reverse("version_changes", args=[before.project.slug])
    return {
        **choices(before.project),
        "before": before,
        "after": after,
        "samples": samples,
        "gone": len(page) - len(samples),
        "found_count": len(changes),
        "show": show,
        "filter": grid,
        "query": grid.as_query(),
        "more_url": f"{address}?{query}" if offset + PAGE < len(changes) else "",
        "count": 0,  # the filter may find a few more, whose class has changed: only what is shown can be chosen
    }


def _note(one: Change, names: dict[int, str], show: str) -> str:
    wrong = one.before if show == "fixed" else one.after
    return f"{'was' if show == 'fixed' else 'now'} taken for {names.get(wrong.predicted, '?')}"


@project_page
def table(request: SignedIn, project: Project) -> HttpResponse:
    """Send what became of each class, as a file."""
    pair = _pair(request, project)
    if pair is None:
        return redirect("version_compare", project.slug)
    before, after = pair
    name = f"{slugify(project.name) or 'project'}-versions-{before.number}-and-{after.number}"
    return send(name, classes_table(compare_versions(before, after)), None, request.GET.get("as", "csv"))
