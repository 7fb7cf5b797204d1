"""A report of a version on one page, to print or to hand on: a model card."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from classifier import catalogue, confusion_matrix
from classifier.access import SignedIn, project_page
from classifier.evaluation_choices import find_version, measure_of
from classifier.evaluation_plots import draw_reliability
from classifier.models import ImageClass, ModelVersion, Project, Sample
from classifier.selectors import class_names
from classifier.services import leaks
from classifier.services.datasets import load_dataset
from classifier.services.evaluations import Evaluated, evaluate_version
from ml.errors import UserError
from ml.evaluation.scores import ClassScores
from ml.training.pipeline import IMPORTED

PICTURES = 4  # of each class
MOST_CLASSES = 20  # that a page has room for; of more, the weakest
FEW_TEST_PICTURES = 5  # of a class; with fewer, its figures say next to nothing
MOST_IN_MATRIX = 12  # classes


@project_page
def report(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show what the version is for, what it was made from, how good it is, and where its limits are."""
    version = find_version(project, number)
    context: dict[str, Any] = {"project": project, "version": version, "imported": version.config["recipe"] == IMPORTED}
    try:
        found = evaluate_version(version)
        context |= _describe(version, found)
    except (UserError, OSError) as error:
        context["error"] = str(error) if isinstance(error, UserError) else "Its files cannot be read now."
    return render(request, "classifier/report_page.html", context)


def _describe(version: ModelVersion, found: Evaluated) -> dict[str, Any]:
    few = len(found.names) <= MOST_IN_MATRIX
    constant = found.summary.constant_class
    return {
        "summary": found.summary,
        "constant_name": None if constant is None else found.names[constant],
        "rows": _list_classes(version, found),
        "class_count": len(found.names),
        "matrix": confusion_matrix.list_rows(found, "trained") if few and found.summary.n else None,
        "pairs": confusion_matrix.list_pairs(found),
        "plot": draw_reliability(found) if found.summary.n else None,
        "limits": _list_limits(version, found),
        "backbone_title": catalogue.backbone_title(version.backbone),
    }


def _list_classes(version: ModelVersion, found: Evaluated) -> list[dict[str, Any]]:
    places = list(range(len(found.names)))
    if len(places) > MOST_CLASSES:
        places = sorted(places, key=lambda place: measure_of(found.summary.classes[place], "f1"))[:MOST_CLASSES]
    described = dict(ImageClass.objects.filter(pk__in=found.classes).values_list("pk", "description"))
    pictures = _choose_pictures(version, set(places))
    return [
        {
            "name": found.names[place],
            "description": described.get(found.classes[place], ""),
            "counts": [per_class[place] for per_class in version.dataset_version.counts.values()],
            "scores": found.summary.classes[place],
            "pictures": pictures[place],
        }
        for place in places
    ]


def _choose_pictures(version: ModelVersion, places: set[int]) -> dict[int, list[str]]:
    """Return the first pictures of these classes that are still there: the same ones each time."""
    wanted: dict[int, list[str]] = {place: [] for place in places}
    for sha256, place, _ in load_dataset(version.dataset_version).rows:
        if place in places and len(wanted[place]) < 3 * PICTURES:  # some may have been deleted
            wanted[place].append(sha256)
    every = [sha256 for sha256s in wanted.values() for sha256 in sha256s]
    kept = Sample.objects.filter(project=version.project_id, deleted_at=None, image__sha256__in=every)
    there = set(kept.values_list("image__sha256", flat=True))
    return {place: [sha256 for sha256 in sha256s if sha256 in there][:PICTURES] for place, sha256s in wanted.items()}


def _list_limits(version: ModelVersion, found: Evaluated) -> list[str]:
    """List what one should know before one relies on it, from facts."""
    names = ", ".join(f"“{name}”" for name in class_names(version)[:5])
    more = " and others" if len(found.names) > 5 else ""
    limits = [f"It knows its classes only ({names}{more}), and was made for pictures like those it was trained on."]
    if not found.summary.n:
        return [*limits, "It has not been tested, so nothing is known of how good it is."]
    if version.accuracy.is_rough:
        limits.append("It was tested on few pictures, so its accuracy is only roughly known.")
    without = leaks.accuracy_without_leaks(version)
    if without is not None:
        limits.append("Some test pictures show the same thing as pictures it was trained on, so the accuracy flatters.")
    limits += _limits_of_classes(found)
    return limits


def _limits_of_classes(found: Evaluated) -> list[str]:
    def name_those(of: list[bool]) -> str:
        chosen = [f"“{name}”" for name, wanted in zip(found.names, of, strict=True) if wanted]
        return ", ".join(chosen[:5]) + (f" and {len(chosen) - 5} more" if len(chosen) > 5 else "")

    few = [scores.n < FEW_TEST_PICTURES for scores in found.summary.classes]
    weak = [not small and _is_weak(scores) for small, scores in zip(few, found.summary.classes, strict=True)]
    limits = []
    if any(few):
        limits.append(f"Fewer than {FEW_TEST_PICTURES} test pictures, so next to nothing is known: {name_those(few)}.")
    if any(weak):
        limits.append(f"It finds less than half of the pictures of: {name_those(weak)}.")
    return limits


def _is_weak(scores: ClassScores) -> bool:
    return scores.recall is not None and scores.recall < 0.5
