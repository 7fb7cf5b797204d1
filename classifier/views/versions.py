"""Model versions: how accurate each is, which classes it confuses, and which one is live."""

from typing import Any

import numpy as np
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from classifier import catalogue, selectors
from classifier.access import SignedIn, project_page
from classifier.custom_backbone_forms import ReimportForm
from classifier.evaluation_choices import find_version
from classifier.models import ModelVersion, Project, PublicLink
from classifier.services import exports, leaks
from classifier.services.advice import give_advice
from classifier.services.custom_backbones import find_spec
from classifier.services.hub import FORMAT
from classifier.services.reproduction import request_reproduction
from classifier.services.untested import tell_untested
from classifier.version_forms import VersionForm
from classifier.views.promoting import gate_context
from ml.errors import UserError
from ml.exports.registry import FORMATS
from ml.training.pipeline import IMPORTED

PAIRS = 5  # of classes that are confused


@project_page
def detail(request: SignedIn, project: Project, number: int) -> HttpResponse:
    version = find_version(project, number)
    context = {
        "project": project,
        "version": version,
        "metrics": version.metrics,
        "advice": give_advice(version),
        "without_leaks": leaks.accuracy_without_leaks(version),
        "untested": tell_untested(version.dataset_version),
        "imported": version.config["recipe"] == IMPORTED,
        "backbone_title": catalogue.backbone_title(version.backbone),
        "pairs": _list_pairs(version),
        "evaluation_url": reverse("version_evaluation", args=[project.slug, number]),
        "live": selectors.live_version(project),
        **gate_context(version),
        "exports": _exports(version),
        "hub": _hub(request, version),
        "pictures": version.config.get("pictures"),
        "describe_form": VersionForm(initial={"name": version.name, "note": version.note, "pinned": version.pinned}),
        "compared_with": _compared_with(version),
        "reimport_form": ReimportForm(),
    }
    return render(request, "classifier/version_page.html", context)


def _compared_with(version: ModelVersion) -> ModelVersion | None:
    """Return the version that one would compare it with: the live one, or the one before it."""
    live = selectors.live_version(version.project)
    if live is not None and live != version:
        return live
    return version.project.model_versions.filter(number__lt=version.number).first()


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


def _list_pairs(version: ModelVersion) -> list[dict[str, Any]]:
    """List what is confused most often, from the metrics alone."""
    counts = np.array(version.metrics["confusion"])
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:PAIRS]
    names, classes = selectors.class_names(version), version.dataset_version.classes
    return [
        {
            "true": names[true],
            "predicted": names[predicted],
            "true_id": classes[true][0],
            "predicted_id": classes[predicted][0],
            "count": int(counts[true, predicted]),
        }
        for true, predicted in (divmod(int(place), counts.shape[1]) for place in order)
        if counts[true, predicted]
    ]


@project_page
@require_POST
def reproduce(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Train a version again from its frozen inputs, and say whether the result is the same."""
    version = find_version(project, number)
    try:
        return redirect(request_reproduction(version, by=request.user))
    except UserError as error:
        messages.error(request, str(error))
        return redirect(version)
