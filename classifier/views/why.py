"""Why a version answers as it does: the heat over a picture, and the training pictures that look like it."""

import base64
import functools
import io
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from PIL import Image

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.models import ModelVersion, Project, Sample
from classifier.models.alias import LIVE
from classifier.services import explanations
from classifier.services.images import read_picture
from ml.errors import UserError
from ml.images.heat import colour_ramp

TOP = 5  # classes to choose from
LITTLE = 0.25  # of the warmth that the warmest place of all classes has


def explain_for_page(version: ModelVersion, data: bytes, wanted: str, *, but: str = "") -> dict[str, Any]:
    """Return what `_why.html` shows, or only a sentence where nothing can be explained."""
    try:
        explanation = explanations.explain(version, data, wanted)
        drawn = explanations.draw_heat(explanation, data)
        similar = explanations.list_similar(explanation, but=but)
    except UserError as error:
        return {"error": str(error)}
    likeliest = explanation.classes[:TOP]
    return {
        "project": version.project,
        "version": version,
        "class_name": explanation.class_name,
        "others": [(name, share) for name, share in likeliest if name != explanation.class_name],
        "picture": _inline("image/jpeg", drawn),
        "scale": _scale(),
        "is_little": explanation.maps.warmth(explanation.place).max() < LITTLE,
        "similar": similar,
    }


def _inline(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@functools.cache
def _scale() -> str:
    """Return the colours from cold to warm as a picture."""
    buffer = io.BytesIO()
    Image.fromarray(colour_ramp()[None]).save(buffer, "PNG")
    return _inline("image/png", buffer.getvalue())


@project_page
def picture_why(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Explain what a version says of a picture, as a part of the picture's page or as a page of its own.

    `?version=` is a number or an alias, else the live or newest one is asked; `?class=` is a name, else the likeliest.
    """
    sample = get_object_or_404(Sample.objects.select_related("image"), pk=pk, project=project)
    if unknown := set(request.GET) - {"version", "class"}:
        raise BadRequest(f"There is no parameter “{min(unknown)[:100]}” here; there are “class” and “version”.")
    version = _find_version(project, request.GET.get("version", ""))
    why = _explain_sample(version, sample, request.GET.get("class", "")) if version else {}
    template = "classifier/_why.html" if request.htmx else "classifier/why_page.html"
    return render(request, template, {"project": project, "sample": sample, "version": version, "why": why})


def _find_version(project: Project, wanted: str) -> ModelVersion | None:
    """Return the version that was asked for; without a wish the live one, or else the newest. Raise Http404."""
    if not wanted:
        return selectors.find_version(project, LIVE) or project.model_versions.first()
    found = selectors.find_version(project, wanted)
    if found is None:
        raise Http404
    return found


def _explain_sample(version: ModelVersion, sample: Sample, wanted: str) -> dict[str, Any]:
    try:
        data = read_picture(sample.image)
    except OSError:
        return {"error": "The picture’s file cannot be read now."}
    why = explain_for_page(version, data, wanted, but=sample.image.sha256)
    address = reverse("picture_why", args=[sample.project.slug, sample.pk])
    links = {
        name: f"{address}?{urlencode({'version': version.number, 'class': name})}" for name, _ in why.get("others", [])
    }
    return {**why, "links": [(name, share, links[name]) for name, share in why.get("others", [])]}
