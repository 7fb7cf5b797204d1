"""How good a model version is: on its test pictures, or what the last check says of all pictures."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from classifier import confusion_matrix
from classifier.access import SignedIn, project_page
from classifier.evaluation_choices import (
    chosen_class,
    chosen_order,
    chosen_threshold,
    find_version,
    load,
    measure_of,
    source_of,
)
from classifier.evaluation_plots import draw_coverage, draw_precision_over_recall, draw_reliability, list_marks
from classifier.models import Audit, Project
from classifier.services import audits
from classifier.services.evaluations import Evaluated
from classifier.services.untested import tell_untested
from classifier.views.judged import list_pictures, parse_wanted
from ml.errors import UserError
from ml.training.pipeline import IMPORTED

FEW_CLASSES = 25  # rows of the table of classes that are shown at once
MEASURES = ("precision", "recall", "f1", "average_precision")
SORTS = ("name", "n", *MEASURES)


@project_page
def evaluation(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show the figures; pictures come when one scrolls to them, or with the page where the address asks for some."""
    version, source = find_version(project, number), source_of(request)
    context: dict[str, Any] = {
        "project": project,
        "version": version,
        "of": source,
        "untested": tell_untested(version.dataset_version) if source == "test" else "",
        "imported": version.config["recipe"] == IMPORTED,
        "audit": Audit.objects.filter(project=project).first(),
        "job": audits.find_open(project),
    }
    try:
        found = load(version, source)
        if found is not None and found.summary.n:
            context |= {"found": found, "summary": found.summary, **_figures(request, found)}
            wanted = parse_wanted(request, source)
            context |= {} if wanted is None else list_pictures(request, version, wanted, found)
    except (UserError, OSError) as error:
        context["error"] = _sentence(error)
    return render(request, "classifier/evaluation_page.html", context)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else "The files of this version cannot be read now."


def _figures(request: SignedIn, found: Evaluated) -> dict[str, Any]:
    constant = found.summary.constant_class
    return {
        "constant_name": None if constant is None else found.names[constant],
        **_classes(request, found),
        **_matrix(request, found),
        **_threshold(request, found),
        "plots": [draw_reliability(found), draw_coverage(found)],
        "mistakes": sum(count for *_, count in found.summary.confusions),
        "links": _Links(request),
        "files_query": "&of=all" if source_of(request) == "all" else "",
    }


class _Links:
    """The address of this page with other values of some parameters, for templates: `links.order.name`."""

    def __init__(self, request: HttpRequest, name: str = "") -> None:
        self._request, self._name = request, name

    def __getitem__(self, key: str) -> Any:
        if not self._name:
            return _Links(self._request, key)
        kept = {name: self._request.GET[name] for name in KEPT if name in self._request.GET}
        return "?" + urlencode({**kept, self._name: key})

    def get(self, key: Any) -> Any:
        return self[key]


KEPT = ("of", "class", "threshold", "order", "by", "classes")  # parameters that links carry on


def _classes(request: SignedIn, found: Evaluated) -> dict[str, Any]:
    """Return the rows of the table of classes, the worst first where they are many."""
    by = request.GET.get("by", "")
    rows = [
        {"id": pk, "name": name, "scores": scores}
        for pk, name, scores in zip(found.classes, found.names, found.summary.classes, strict=True)
    ]
    if by not in SORTS:
        by = "f1" if len(rows) > FEW_CLASSES else ""
    if by == "name":
        rows.sort(key=lambda row: str(row["name"]).casefold())
    elif by:
        rows.sort(key=lambda row: measure_of(row["scores"], by))
    every = request.GET.get("classes") == "all" or len(rows) <= FEW_CLASSES
    shown = rows if every else rows[:FEW_CLASSES]
    return {"rows": shown, "by": by, "left_out": len(rows) - len(shown), "example": _example(rows)}


def _example(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the class by which precision and recall are explained."""
    return next((row for row in rows if row["scores"].hits), None)


def _matrix(request: SignedIn, found: Evaluated) -> dict[str, Any]:
    order = chosen_order(request, found)
    few = len(found.names) <= confusion_matrix.MOST_IN_TABLE
    return {
        "order": order,
        "orders": [(name, title) for name, (title, _) in confusion_matrix.ORDERS.items()],
        "matrix": confusion_matrix.list_rows(found, order) if few else None,
        "pairs": confusion_matrix.list_pairs(found),
        "class_choices": list(zip(found.classes, found.names, strict=True)),
    }


def _threshold(request: SignedIn, found: Evaluated) -> dict[str, Any]:
    place, threshold = chosen_class(request, found), chosen_threshold(request)
    curve, scores = found.curve(place), found.summary.classes[place]
    called, right = curve.called[threshold], curve.right[threshold]
    said = {"of": source_of(request), "class": found.classes[place], "threshold": threshold}
    return {
        "chosen": {"id": found.classes[place], "name": found.names[place], "scores": scores},
        "threshold": threshold,
        "threshold_query": f"&{urlencode(said)}",
        "called": called,
        "right": right,
        "precision": right / called if called else None,
        "recall": right / scores.n if scores.n else None,
        "curve": draw_precision_over_recall(found, place, curve, threshold),
        "curve_script": {
            "called": curve.called,
            "right": curve.right,
            "size": scores.n,
            "marks": list_marks(curve, scores.n),
        },
    }


@project_page
def heat_map(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show the confusion matrix of many classes, which is too large to be sent before all else."""
    version, source = find_version(project, number), source_of(request)
    found = load(version, source)
    if found is None:
        raise Http404
    address = reverse("version_judged", args=[project.slug, number])
    context = {
        "heat_map": confusion_matrix.draw_heat_map(found, chosen_order(request, found)),
        "judged_address": f"{address}?of={source}",
    }
    return render(request, "classifier/_heat_map.html", context)
