"""The grid of a project's pictures, and each picture large."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.models import Project, Sample
from classifier.sample_filters import SampleFilter, parse_filter, select_samples
from classifier.sample_orders import SORTS
from classifier.sample_pages import neighbours, page_after
from classifier.services import answers
from classifier.services.explanations import may_explain
from classifier.services.history import describe_change
from classifier.views.filter_words import describe_filter
from ml.audit.kinds import KINDS
from ml.datasets.splits import SPLITS
from ml.images.formats import FORMATS

PAGE = 100
LARGE = 640  # pixels of what stands for a picture that browsers do not show
HISTORY = 9  # acts upon it
SIMILAR = 8
CURSOR = "after"  # the parameter with the place of a page


def grid_context(project: Project, wanted: SampleFilter, cursor: str = "") -> dict[str, Any]:
    """Return what a page needs that shows the pictures of a filter. Raise BadFilter."""
    page, following = page_after(project, wanted, cursor, PAGE)
    return {"project": project, "filter": wanted, "query": wanted.as_query(), "samples": page, "next": following}


@project_page
def grid(request: SignedIn, project: Project) -> HttpResponse:
    """Show all pictures that match the filter in the address."""
    wanted = parse_filter(request.GET, ignored=(CURSOR,))
    context = grid_context(project, wanted, request.GET.get(CURSOR, ""))
    if request.htmx and CURSOR in request.GET:
        return render(request, "classifier/_samples.html", context)
    return render(
        request,
        "classifier/pictures_page.html",
        {
            **context,
            **choices(project),
            "count": None if wanted.narrows else selectors.list_samples(project).count(),
            "chips": describe_filter(project, wanted),
            "sorts": SORTS.values(),
            "finding_kinds": [kind for kind in KINDS.values() if not kind.of_class],
            "unsorted": wanted.order.by_audit and _has_unsorted(project, wanted),
        },
    )


@project_page
def count(request: SignedIn, project: Project) -> HttpResponse:
    """Show how many pictures match: that takes time where there are very many, which the page does not wait for."""
    found = select_samples(project, parse_filter(request.GET)).count()
    return render(request, "classifier/_count.html", {"project": project, "count": found})


def _has_unsorted(project: Project, wanted: SampleFilter) -> bool:
    """Return whether the newest picture has no place in the order yet; to look at all would take too long."""
    newest = Sample.objects.filter(project=project, deleted_at=None).order_by("-pk").values_list("pk", flat=True)[:1]
    return Sample.objects.filter(pk__in=list(newest), **{f"{wanted.order.field}__isnull": True}).exists()


def choices(project: Project) -> dict[str, Any]:
    """Return what the controls of a grid offer."""
    return {"others": selectors.list_classes(project), "splits": SPLITS}


@project_page
def picture_page(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Show a picture large, with its facts, and the ones before and after it in the order of the filter."""
    sample = get_object_or_404(
        Sample.objects.select_related("image", "image_class", "upload", "created_by"), pk=pk, project=project
    )
    wanted = parse_filter(request.GET)
    changes = sample.changes.select_related("change__created_by").order_by("-pk")[:HISTORY]
    previous, following = neighbours(project, wanted, sample)
    context = {
        **choices(project),
        "project": project,
        "sample": sample,
        "filter": wanted,
        "query": wanted.as_query(),
        "previous": previous,
        "following": following,
        "is_shown": FORMATS[sample.image.format].is_shown,
        "large": LARGE,
        "changes": [(one.change, describe_change(one.change)) for one in changes],
    }
    template = "classifier/_picture.html" if request.htmx else "classifier/picture_page.html"
    return render(request, template, context)


@project_page
def more(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Show what the newest model versions say of a picture, and those that look most like it."""
    sample = get_object_or_404(Sample.objects.select_related("image", "project"), pk=pk, project=project)
    wanted = SampleFilter(like=sample.pk)
    similar, _ = page_after(project, wanted, "", SIMILAR + 1)
    context = {
        "project": project,
        "sample": sample,
        "rows": [(row, may_explain(row.version.backbone)) for row in answers.ask_versions(sample)],
        "similar": [one for one in similar if one != sample][:SIMILAR],
        "query": wanted.as_query(),
    }
    return render(request, "classifier/_picture_more.html", context)
