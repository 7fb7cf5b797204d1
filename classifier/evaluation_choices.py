"""What the address of an evaluation chooses: the pictures, the class, the threshold."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from classifier.confusion_matrix import ORDERS, default_order
from classifier.judged_pictures import Source
from classifier.models import ModelVersion, Project
from classifier.parsing import parse_number
from classifier.services.evaluations import Evaluated, evaluate_all, evaluate_version
from ml.evaluation.curves import STEPS


def find_version(project: Project, number: int) -> ModelVersion:
    return get_object_or_404(project.model_versions.select_related("dataset_version", "job", "project"), number=number)


def source_of(request: HttpRequest) -> Source:
    return "all" if request.GET.get("of") == "all" else "test"


def load(version: ModelVersion, source: Source) -> Evaluated | None:
    return evaluate_all(version.project) if source == "all" else evaluate_version(version)


def measure_of(scores: Any, by: str) -> float:
    value = getattr(scores, by)
    return 2.0 if value is None else float(value)


def chosen_class(request: HttpRequest, found: Evaluated) -> int:
    """Return the place of the class in the address, or of the one that is recognised worst."""
    asked = parse_number(request.GET.get("class"))
    if asked in found.classes:
        return found.classes.index(asked)
    return min(range(len(found.classes)), key=lambda place: measure_of(found.summary.classes[place], "f1"))


def chosen_threshold(request: HttpRequest) -> int:
    asked = parse_number(request.GET.get("threshold"))
    return 50 if asked is None else min(asked, STEPS)


def chosen_order(request: HttpRequest, found: Evaluated) -> str:
    """Return the order of the classes in the confusion matrix."""
    asked = request.GET.get("order", "")
    return asked if asked in ORDERS else default_order(found)
