"""The pictures behind the figures of an evaluation, as cards with all that can be done with them."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from classifier.access import SignedIn, project_page
from classifier.evaluation_choices import find_version, load, source_of
from classifier.judged_pictures import Source, Wanted, page_of_judged
from classifier.models import ModelVersion, Project
from classifier.parsing import parse_number
from classifier.services.evaluations import Evaluated
from classifier.views.pictures import choices
from ml.errors import UserError

PAGE = 60


@project_page
def judged(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show pictures behind the figures: mistakes, hits or a cell of the matrix; a page of them after the first."""
    if not request.htmx:
        page = reverse("version_evaluation", args=[project.slug, number])
        return redirect(f"{page}?{request.GET.urlencode()}#pictures")
    version, source = find_version(project, number), source_of(request)
    try:
        found = load(version, source)
        if found is None:
            raise Http404
        context = list_pictures(request, version, parse_wanted(request, source) or Wanted(source, right=False), found)
    except UserError as error:
        return render(request, "classifier/_judged.html", {"error": str(error)})
    context |= {"project": project, "version": version, "of": source}
    template = "_samples" if "offset" in request.GET else "_judged"
    return render(request, f"classifier/{template}.html", context)


def parse_wanted(request: HttpRequest, source: Source) -> Wanted | None:
    """Return which pictures the address asks for, None if for none."""
    true, predicted = (parse_number(request.GET.get(name)) for name in ("true", "predicted"))
    if true is not None and predicted is not None:
        return Wanted(source, right=true == predicted, true=true, predicted=predicted)
    show = request.GET.get("show")
    return Wanted(source, right=show == "hits") if show in ("mistakes", "hits") else None


def list_pictures(request: SignedIn, version: ModelVersion, wanted: Wanted, found: Evaluated) -> dict[str, Any]:
    offset = min(parse_number(request.GET.get("offset")) or 0, 10**7)
    page, count = page_of_judged(version, wanted, offset=offset, size=PAGE)
    names = dict(zip(found.classes, found.names, strict=True))
    samples = []
    for one in page:
        if one.sample is not None:
            verb = "sure" if one.true == one.predicted else f"taken for {names.get(one.predicted, '?')}"
            one.sample.note = f"{verb}, {100 * one.probability:.0f}\u00a0%"  # type: ignore[attr-defined] # shown on its card
            samples.append(one.sample)
    grid = wanted.as_filter(version)
    said: dict[str, Any] = {"of": wanted.of, "show": "hits" if wanted.right else "mistakes"}
    said |= {"true": wanted.true, "predicted": wanted.predicted} if wanted.true is not None else {}
    address = reverse("version_judged", args=[version.project.slug, version.number])
    more = f"{address}?{urlencode({**said, 'offset': offset + PAGE})}" if offset + PAGE < count else ""
    return {
        **choices(version.project),
        "wanted": wanted,
        "samples": samples,
        "shown_from": offset,
        "gone": len(page) - len(samples),
        "count": count,
        "true_name": names.get(wanted.true or 0),
        "predicted_name": names.get(wanted.predicted or 0),
        "filter": grid,
        "query": grid.as_query(),
        "more_url": more,
    }
