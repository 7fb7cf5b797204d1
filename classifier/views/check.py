"""What may be wrong with a project's pictures: the kinds of finding, and the pictures of each."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page
from classifier.learning_curve_plot import draw_learning_curve, learning_curve_table
from classifier.models import Audit, Finding, Project
from classifier.parsing import parse_number, parse_numbers
from classifier.sample_filters import SampleFilter
from classifier.selectors import list_classes
from classifier.services import audits
from classifier.table_files import send
from classifier.views.pictures import choices
from ml.audit.kinds import KINDS

STRIP, PAGE = 6, 60


@project_page
def check(request: SignedIn, project: Project) -> HttpResponse:
    found = [_show(project, summary) for summary in audits.summarise(project)]
    curve = audits.learning_curve(project)
    context = {
        "project": project,
        "audit": Audit.objects.filter(project=project).first(),
        "job": audits.find_open(project),
        "found": [row for row in found if row["summary"].count],
        "settled": [row["summary"] for row in found if not row["summary"].count],
        "plot": draw_learning_curve(curve),
        "more": curve.more_of_hundred,
        "pictures": project.samples.filter(deleted_at=None).exists(),
    }
    return render(request, "classifier/check_page.html", context)


def _show(project: Project, summary: audits.Summary) -> dict[str, Any]:
    """Return what the page shows of a kind: a strip of the worst pictures, or the classes that it is about."""
    worst = audits.list_findings(project, summary.kind.name)
    if summary.kind.of_class:
        return {"summary": summary, "classes": worst.select_related("image_class__project")}
    return {"summary": summary, "strip": worst.values_list("sample__image__sha256", flat=True)[:STRIP]}


@project_page
def learning_curve(request: SignedIn, project: Project) -> HttpResponse:
    """Send the learning curve as CSV or JSON, or its chart as SVG."""
    curve, slug = audits.learning_curve(project), slugify(project.name) or "project"
    form = request.GET.get("as", "csv")
    return send(f"{slug}-learning-curve", learning_curve_table(curve), draw_learning_curve(curve), form)


@project_page
@require_POST
def start(request: SignedIn, project: Project) -> HttpResponse:
    return redirect(audits.request_audit(project, by=request.user))


@project_page
def kind(request: SignedIn, project: Project, kind: str) -> HttpResponse:
    """Show the findings of a kind, the worst first, or those that were dismissed."""
    if kind not in KINDS:
        raise Http404
    dismissed = "dismissed" in request.GET
    found = audits.list_findings(project, kind, dismissed=dismissed)
    pages = Paginator(found.select_related("sample__image", "sample__image_class", "image_class__project"), PAGE)
    page = pages.get_page(parse_number(request.GET.get("page")) or 1)
    classes = dict(list_classes(project).values_list("pk", "name"))
    context = {
        "project": project,
        "kind": KINDS[kind],
        "page": page,
        "rows": [_describe(finding, classes) for finding in page],
        "dismissed": dismissed,
        "dismissed_count": audits.list_findings(project, kind, dismissed=True).count(),
        "query": SampleFilter(finding=kind).as_query(),
        **choices(project),
    }
    return render(request, "classifier/check_kind_page.html", context)


def _describe(finding: Finding, classes: dict[int, str]) -> dict[str, Any]:
    predicted = finding.details.get("predicted")
    return {"finding": finding, "to": predicted if predicted in classes else None, "predicted": classes.get(predicted)}


@project_page
@require_POST
def dismiss(request: SignedIn, project: Project, kind: str) -> HttpResponse:
    """Dismiss the finding whose button was pressed, those of the chosen pictures, or all of them."""
    if kind not in KINDS:
        raise Http404
    count = audits.dismiss(project, kind, by=request.user, **_chosen(request))
    messages.success(request, f"{_findings(count)} dismissed. Later checks do not tell of {_them(count)} again.")
    return redirect("check_kind", project.slug, kind)


@project_page
@require_POST
def reopen(request: SignedIn, project: Project, kind: str) -> HttpResponse:
    if kind not in KINDS:
        raise Http404
    count = audits.reopen(project, kind, **_chosen(request))
    messages.success(request, f"{_findings(count)} shown again.")
    return redirect("check_kind", project.slug, kind)


def _chosen(request: SignedIn) -> dict[str, list[int]]:
    """Return which findings are meant, as arguments of the services; none of them where all are."""
    if "every" in request.POST or request.POST.get("all"):
        return {}
    if "finding" in request.POST:
        return {"ids": parse_numbers(request.POST.getlist("finding"))}
    return {"samples": parse_numbers([*request.POST.getlist("sample"), request.POST.get("ids", "")])}


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count:,} findings"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
