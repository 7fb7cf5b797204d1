"""Answers."""

from typing import Any

from django.conf import settings
from django.http import JsonResponse
from ninja import File, Router
from ninja.errors import HttpError
from ninja.files import UploadedFile

from classifier.api import schemas
from classifier.api.access import find_project
from classifier.api.errors import ERRORS
from classifier.services import prediction
from classifier.services.images import read_bounded
from classifier.views.access import SignedIn

router = Router()


@router.post("/projects/{slug}/classify", response={200: schemas.ClassifyOut, **ERRORS}, exclude_none=True)
def classify(request: SignedIn, slug: str, image: File[list[UploadedFile]]) -> Any:
    """Name what is in each picture (`image` repeated), with the live version."""
    version = prediction.find_live(request.user, slug)
    if version is None:
        find_project(request, slug)
        raise prediction.NothingLive
    if len(image) > settings.MAX_CLASSIFY_FILES:
        raise HttpError(413, f"Send at most {settings.MAX_CLASSIFY_FILES} pictures at once.")
    result = prediction.answer(version, [read_bounded(part) for part in image])
    if all(answer.error for answer in result.answers):
        raise HttpError(422, result.answers[0].error)
    said = {
        "project": slug,
        "model_version": result.version.number,
        "predictions": [
            _present_answer(part.name or "", answer) for part, answer in zip(image, result.answers, strict=True)
        ],
        "milliseconds": round(result.milliseconds, 2),
    }
    # Past the check against the schema, which would take longer than finding the project.
    return JsonResponse(said)


def _present_answer(file: str, answer: prediction.Answer) -> dict[str, Any]:
    classes = [{"name": name, "probability": share} for name, share in answer.classes]
    return {"file": file, "classes": classes, **({"error": answer.error} if answer.error else {})}
