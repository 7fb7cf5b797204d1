"""Giving pictures a class: one after the other by keyboard, or many at a glance."""

from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page_for
from classifier.models import Project
from classifier.parsing import parse_number, parse_numbers
from classifier.roles import Role
from classifier.services import labelling, readiness
from classifier.services.candidates import find_suggesting
from classifier.services.labelling import ORDERS, Candidate, Ranking
from classifier.views.candidate import candidate_context
from classifier.views.pictures import LARGE

BATCH = 40  # pictures that the browser fetches at once, ahead of the person
AT_A_GLANCE = 24
MOST_SKIPPED = 20_000


@project_page_for(Role.EDITOR)
def label(request: SignedIn, project: Project) -> HttpResponse:
    """Show the page on which pictures are labelled by keyboard."""
    order = request.GET.get("order", "unsure")
    if order not in ORDERS:
        raise Http404
    suggesting = find_suggesting(project)
    context = {
        "project": project,
        "order": order,
        "orders": [(name, known.title) for name, known in ORDERS.items()],
        "left": labelling.list_unlabelled(project).count(),
        "classes": selectors.list_classes(project),
        "suggesting": suggesting,
        **candidate_context(project),
        "sure": sum(map(len, labelling.list_sure(project, labelling.POOL).values())) if suggesting else 0,
    }
    return render(request, "classifier/label_page.html", context)


@project_page_for(Role.EDITOR)
@require_POST
def queue(request: SignedIn, project: Project) -> HttpResponse:
    """Return the next pictures to label as JSON, without those that the browser has already."""
    order = request.POST.get("order", "")
    if order not in ORDERS:
        raise Http404
    skip = _numbers(request.POST.get("skip", ""), MOST_SKIPPED)
    candidates = labelling.next_candidates(project, order, skip=skip, size=BATCH)
    if not all(candidate.ranking for candidate in candidates) and find_suggesting(project):
        readiness.get_ready_soon(project, asked=True)
    left = labelling.list_unlabelled(project).count()
    return JsonResponse({"left": left, "pictures": [_present(project, one) for one in candidates]})


@project_page_for(Role.EDITOR)
@require_POST
def suggestions(request: SignedIn, project: Project) -> HttpResponse:
    """Return as JSON what the classifier says of pictures that it had not seen when the browser fetched them."""
    found = labelling.suggest(project, _numbers(request.POST.get("ids", ""), 2 * BATCH))
    return JsonResponse({"suggestions": {pk: _told(ranking) for pk, ranking in found.items()}})


def _numbers(text: str, most: int) -> set[int]:
    return set(parse_numbers([text])[:most])


def _told(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"class": pk, "share": round(share, 4)} for pk, share in ranking[:3]]


def _present(project: Project, candidate: Candidate) -> dict[str, Any]:
    sample = candidate.sample
    return {
        "id": sample.pk,
        "file": sample.file_name,
        "image": reverse("thumbnail", args=[project.slug, sample.image.sha256, LARGE]),
        "suggestions": _told(candidate.ranking),
    }


@project_page_for(Role.EDITOR)
def sure(request: SignedIn, project: Project) -> HttpResponse:
    """Show the surest suggestions of a class, to be confirmed at a glance."""
    found = labelling.list_sure(project, labelling.POOL)
    suggested = {one.pk: one for one in selectors.list_classes(project) if one.pk in found}
    tabs = sorted(((one, len(found[pk])) for pk, one in suggested.items()), key=lambda tab: -tab[1])
    wanted = parse_number(request.GET.get("class")) or 0
    chosen = suggested.get(wanted) or (tabs[0][0] if tabs else None)
    context = {
        "project": project,
        "tabs": tabs,
        "chosen": chosen,
        "candidates": found[chosen.pk][:AT_A_GLANCE] if chosen else [],
        "suggesting": find_suggesting(project),
    }
    return render(request, "classifier/sure_page.html", context)
