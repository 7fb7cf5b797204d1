"""The grid of a project's pictures, each picture large, and what has been done with them."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.models import Project, Sample
from classifier.sample_filters import (
    SORTS,
    SampleFilter,
    cursor_of,
    page_after,
    parse_filter,
    select_samples,
    sort_samples,
)
from classifier.services import answers
from classifier.services.history import describe_change
from classifier.views.filter_words import describe_filter
from ml.datasets.splits import SPLITS

PAGE = 100
SHOWN_BY_BROWSERS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP")
LARGE = 640  # pixels of what stands for a picture that browsers do not show
KEYS = 9  # classes that have a number key
HISTORY_PAGE = 50
CURSOR = "after"  # the parameter with the place of a page


def grid_context(project: Project, wanted: SampleFilter, cursor: str = "") -> dict[str, Any]:
    """Return what a page needs that shows the pictures of a filter. Raise BadFilter."""
    found = select_samples(project, wanted)
    page, following = page_after(found.select_related("image", "image_class"), wanted.order, cursor, PAGE)
    return {"project": project, "filter": wanted, "query": wanted.as_query(), "samples": page, "next": following}


@project_page
def grid(request: SignedIn, project: Project) -> HttpResponse:
    """Show all pictures that match the filter in the address."""
    wanted = parse_filter(request.GET, ignored=(CURSOR,))
    context = grid_context(project, wanted, request.GET.get(CURSOR, ""))
    if request.htmx and CURSOR in request.GET:
        return render(request, "classifier/_samples.html", context)
    found = select_samples(project, wanted)
    return render(
        request,
        "classifier/pictures_page.html",
        {
            **context,
            **choices(project),
            "count": found.count(),
            "chips": describe_filter(project, wanted),
            "sorts": SORTS.values(),
            "unsorted": wanted.order.of and found.filter(**{f"{wanted.order.of}__isnull": True}).count(),
        },
    )


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
    changes = sample.changes.select_related("change__created_by").order_by("-pk")[:KEYS]
    context = {
        **choices(project),
        "project": project,
        "sample": sample,
        "filter": wanted,
        "query": wanted.as_query(),
        "previous": _neighbour(project, wanted, sample, forward=False),
        "following": _neighbour(project, wanted, sample, forward=True),
        "is_shown": sample.image.format in SHOWN_BY_BROWSERS,
        "large": LARGE,
        "changes": [(one.change, describe_change(one.change)) for one in changes],
    }
    template = "classifier/_picture.html" if request.htmx else "classifier/picture_page.html"
    return render(request, template, context)


def _neighbour(project: Project, wanted: SampleFilter, sample: Sample, *, forward: bool) -> int | None:
    """Return the id of the sample after this one, or before it, in the order of the filter; None at its end."""
    sort = wanted.order if forward else wanted.order.reversed()
    here = sort_samples(Sample.objects.filter(pk=sample.pk), sort).first()
    if here is None:  # it has nothing to be sorted by
        return None
    page, _ = page_after(select_samples(project, wanted), sort, cursor_of(sort, here), 1)
    return page[0].pk if page else None


@project_page
def versions_say(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Show what the newest model versions say of a picture."""
    sample = get_object_or_404(Sample.objects.select_related("image"), pk=pk, project=project)
    return render(request, "classifier/_versions_say.html", {"project": project, "rows": answers.ask_versions(sample)})


@project_page
def history(request: SignedIn, project: Project) -> HttpResponse:
    """Show who did what to the pictures and classes, and when."""
    pages = Paginator(project.changes.select_related("created_by", "undone_by"), HISTORY_PAGE)
    page = pages.get_page(request.GET.get("page"))
    rows = [(one, describe_change(one)) for one in page]
    return render(request, "classifier/history_page.html", {"project": project, "page": page, "rows": rows})
