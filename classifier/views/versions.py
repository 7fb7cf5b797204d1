"""Model versions: how accurate each is, which classes it confuses, and which one is live."""

from typing import Any

import numpy as np
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from classifier import catalogue, selectors
from classifier.access import SignedIn, project_page
from classifier.custom_backbone_forms import ReimportForm
from classifier.models import ModelVersion, Project, PublicLink
from classifier.parsing import parse_number
from classifier.sample_filters import SampleFilter
from classifier.services import exports, leaks, model_versions
from classifier.services.custom_backbones import find_spec
from classifier.services.hub import FORMAT
from classifier.views.pictures import choices
from ml.exports.registry import FORMATS
from ml.training.artifacts import ArtifactCorrupt
from ml.training.pipeline import IMPORTED

SHOWN = 60
MAX_CLASSES_SHOWN = 50


def _find(project: Project, number: int) -> ModelVersion:
    versions = project.model_versions.select_related("dataset_version", "job", "project")
    return get_object_or_404(versions, number=number)


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    versions = project.model_versions.select_related("dataset_version", "job")
    context = {"project": project, "versions": versions, "live": selectors.live_version(project)}
    return render(request, "classifier/versions_page.html", context)


@project_page
def detail(request: SignedIn, project: Project, number: int) -> HttpResponse:
    version = _find(project, number)
    context = {
        "project": project,
        "version": version,
        "metrics": version.metrics,
        "without_leaks": leaks.accuracy_without_leaks(version),
        "imported": version.config["recipe"] == IMPORTED,
        "backbone_title": catalogue.backbone_title(version.backbone),
        "matrix": _matrix(version),
        "live": selectors.live_version(project),
        "exports": _exports(version),
        "hub": _hub(request, version),
        "pictures": version.config.get("pictures"),
        "reimport_form": ReimportForm(),
    }
    return render(request, "classifier/version_page.html", context)


def _exports(version: ModelVersion) -> list[dict[str, Any]]:
    """List the formats, each with what has been made of it so far."""
    made = {export.format: export for export in selectors.list_exports(version)}
    spec, names = find_spec(version.backbone), selectors.class_names(version)
    return [
        {
            "format": known,
            "made": made.get(known.name),
            "unavailable_reason": exports.unavailable_reason(spec, known),
            "has_old_names": known.name in made and exports.has_old_names(made[known.name], version, names),
        }
        for known in FORMATS.values()
    ]


def _hub(request: SignedIn, version: ModelVersion) -> dict[str, Any]:
    """Return where `hub.load` finds it."""
    address = request.build_absolute_uri(reverse("hub_version", args=[version.project.slug, version.number]))
    link = PublicLink.objects.filter(model_version=version).first()
    made = version.exports.filter(format=FORMAT).exclude(sha256="").exists()
    return {"address": address, "link": link and f"{address}?link={link.token}", "made": made}


def _matrix(version: ModelVersion) -> dict[str, Any]:
    """Return rows of cells with a shade from 0 to 10, by the share of the row."""
    names, confusion = selectors.class_names(version), version.metrics["confusion"]
    shown = _worth_showing(confusion)
    rows = []
    for true in shown:
        counts = confusion[true]
        whole = sum(counts) or 1
        cells = [
            {
                "count": count,
                "shade": round(10 * count / whole),
                "right": true == predicted,
                "predicted": predicted,
                "name": names[predicted],
            }
            for predicted, count in ((place, counts[place]) for place in shown)
        ]
        rows.append({**version.metrics["per_class"][true], "name": names[true], "true": true, "cells": cells})
    return {"names": [names[place] for place in shown], "rows": rows, "left_out": len(names) - len(shown)}


def _worth_showing(confusion: list[list[int]]) -> list[int]:
    """List all classes or, of very many, those with the most errors and then the most pictures."""
    if len(confusion) <= MAX_CLASSES_SHOWN:
        return list(range(len(confusion)))
    counts = np.array(confusion)
    answered, right = counts.sum(axis=0), counts.diagonal()
    errors = counts.sum(axis=1) + answered - 2 * right
    order = np.lexsort((-answered - right, -errors))
    return sorted(order[:MAX_CLASSES_SHOWN].tolist())


@project_page
def cell(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show the pictures behind one cell of the confusion matrix."""
    version = _find(project, number)
    names = selectors.class_names(version)
    true, predicted = (parse_number(request.GET.get(name)) for name in ("true", "predicted"))
    if true is None or predicted is None or max(true, predicted) >= len(names):
        raise Http404
    try:
        evaluation = model_versions.load_evaluation(version.artifact_digest)
    except ArtifactCorrupt as error:
        return render(request, "classifier/_cell.html", {"error": str(error)})
    shares = evaluation.probabilities[:, predicted]
    chosen = (evaluation.labels == true) & (evaluation.probabilities.argmax(axis=1) == predicted)
    worst_first = sorted(chosen.nonzero()[0], key=lambda row: -shares[row])
    told = {evaluation.sha256s[row]: f"Probability {100 * shares[row]:.0f} %" for row in worst_first[:SHOWN]}
    samples = selectors.samples_of_images(project, told)
    for sample in samples:
        sample.note = told[sample.image.sha256]  # type: ignore[attr-defined] # shown on its card
    wanted = _filter_of_cell(version, true, predicted)
    context = {
        **choices(project),
        "project": project,
        "samples": samples,
        "filter": wanted,
        "query": wanted.as_query(),
        "true": names[true],
        "predicted": names[predicted],
        "gone": len(told) - len(samples),
        "count": int(chosen.sum()),
    }
    return render(request, "classifier/_cell.html", context)


def _filter_of_cell(version: ModelVersion, true: int, predicted: int) -> SampleFilter:
    """Return what finds the pictures of a cell in the grid."""
    classes = [pk for pk, _ in version.dataset_version.classes]
    judged = {"right" if true == predicted else "wrong": version.number}
    return SampleFilter(**judged, class_id=classes[true], predicted=classes[predicted])


@project_page
@require_POST
def promote(request: SignedIn, project: Project, number: int) -> HttpResponse:
    version = _find(project, number)
    model_versions.promote(version, by=request.user)
    messages.success(request, f"Version {number} is now live.")
    return redirect(version)
