"""Why a version answers as it does: the places that speak for a class, and the training pictures that look alike."""

from typing import Any, Literal

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import File, Router, params
from ninja.files import UploadedFile

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api.auth import READ_AUTH
from classifier.api.errors import errors
from classifier.api.explanation_schemas import ExplainOut
from classifier.models import ModelVersion, Project, Sample
from classifier.models.alias import LIVE
from classifier.roles import Role
from classifier.services import explanations, prediction
from classifier.services.images import read_bounded, read_picture

PNG = "image/png"
DRAWN: dict[str, Any] = {"responses": {200: {"content": {PNG: {"schema": {"type": "string", "format": "binary"}}}}}}
ANSWERS = {200: ExplainOut, **errors(400, 404, 409, 413, 422)}

router = Router()

DRAWS = "png draws the heat over the picture, as does `Accept: image/png`"
OF_CLASS = "of the version; empty for the likeliest"


@router.post("/projects/{slug}/explain", response=ANSWERS, by_alias=True, openapi_extra=DRAWN, auth=READ_AUTH)
def explain(
    request: SignedIn,
    slug: str,
    image: File[UploadedFile],
    class_name: str = params.Form("", alias="class", description=OF_CLASS),  # type: ignore[type-arg]
    version: str = params.Query(LIVE, max_length=60, description="the number of a model version, or an alias"),  # type: ignore[type-arg]
    format: Literal["json", "png"] = params.Query("json", description=DRAWS),  # type: ignore[type-arg]
) -> Any:
    """Explain what a version says of a picture, which is not stored."""
    found = _find_version(find_project(request, slug, Role.VIEWER), version)
    return _answer(request, found, read_bounded(image), class_name, format)


@router.get("/projects/{slug}/samples/{sample_id}/explain", response=ANSWERS, by_alias=True, openapi_extra=DRAWN)
def explain_sample(
    request: SignedIn,
    slug: str,
    sample_id: int,
    class_name: str = params.Query("", alias="class", description=OF_CLASS),  # type: ignore[type-arg]
    version: str = params.Query(LIVE, max_length=60, description="the number of a model version, or an alias"),  # type: ignore[type-arg]
    format: Literal["json", "png"] = params.Query("json", description=DRAWS),  # type: ignore[type-arg]
) -> Any:
    """Explain what a version says of a picture of the project; the picture itself is not among the similar ones."""
    project = find_project(request, slug)
    sample = get_object_or_404(Sample.objects.select_related("image"), pk=sample_id, project=project)
    found = _find_version(project, version)
    try:
        data = read_picture(sample.image)
    except OSError:
        raise Http404 from None
    return _answer(request, found, data, class_name, format, but=sample.image.sha256)


def _find_version(project: Project, wanted: str) -> ModelVersion:
    found = selectors.find_version(project, wanted)
    if found is None:
        raise prediction.NothingLive if wanted == LIVE else prediction.NoSuchVersion(wanted)
    return found


def _answer(
    request: SignedIn, version: ModelVersion, data: bytes, class_name: str, format: str, *, but: str = ""
) -> Any:
    explanation = explanations.explain(version, data, class_name)
    if format == "png" or request.headers.get("Accept") == PNG:
        return HttpResponse(explanations.draw_heat(explanation, data, "PNG"), content_type=PNG)
    maps, place = explanation.maps, explanation.place
    return {
        "model_version": version.number,
        "class": explanation.class_name,
        "probability": round(dict(explanation.classes)[explanation.class_name], 6),
        "logit": float(maps.logits[place]),
        "bias": float(maps.bias[place]),
        "heat": maps.heat(place).tolist(),
        "similar": [
            {
                "id": one.sample.pk,
                "sha256": one.sample.image.sha256,
                "class": one.class_name,
                "file": one.sample.file_name,
                "likeness": one.likeness,
            }
            for one in explanations.list_similar(explanation, but=but)
        ],
    }
