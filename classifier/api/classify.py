"""Answers."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, JsonResponse
from ninja import File, Router, params
from ninja.errors import HttpError
from ninja.files import UploadedFile as NinjaFile

from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.auth import CLASSIFY_AUTH
from classifier.api.errors import errors
from classifier.models import ShareLink
from classifier.models.alias import LIVE
from classifier.roles import Role
from classifier.services import prediction, share_links
from classifier.services.images import read_bounded

router = Router()


@router.post(
    "/projects/{slug}/classify",
    response={200: schemas.ClassifyOut, **errors(400, 404, 409, 413, 422)},
    exclude_none=True,
    auth=CLASSIFY_AUTH,
)
def classify(
    request: SignedIn,
    slug: str,
    image: File[list[NinjaFile]],
    version: str = params.Query(LIVE, max_length=60, description="the number of a model version, or an alias"),  # type: ignore[type-arg]
) -> Any:
    """Classify pictures (`image` repeated) with the live version of the project, or with another one."""
    found = prediction.find_answering(request.user, slug, version)
    if found is None:
        find_project(request, slug, Role.CLASSIFIER)
        raise prediction.NothingLive if version == LIVE else prediction.NoSuchVersion(version)
    return answer_files(slug, found, image)


@router.post(
    "/shared/{token}/classify",
    response={200: schemas.ClassifyOut, **errors(400, 404, 409, 413, 422, 429)},
    exclude_none=True,
    auth=None,
)
def classify_shared(request: HttpRequest, token: str, image: File[list[NinjaFile]]) -> Any:
    """Classify pictures with the live version of the project that a share link is of; no key is needed."""
    link = share_links.find_link(token, kind=ShareLink.Kind.CLASSIFY)
    found = prediction.find_live(link.project_id)
    if found is None:
        raise prediction.NothingLive
    share_links.count_pictures(link, len(image))
    return answer_files(link.project.name, found, image)


def answer_files(slug: str, version: prediction.AnsweringVersion, files: Sequence[UploadedFile]) -> JsonResponse:
    """Answer with the predictions for files. Raise what `api.errors` turns into answers."""
    if len(files) > settings.MAX_CLASSIFY_FILES:
        raise HttpError(413, f"Send at most {settings.MAX_CLASSIFY_FILES} pictures at once.")
    result = prediction.answer(version, [read_bounded(file) for file in files])
    if all(answer.error for answer in result.answers):
        raise HttpError(422, result.answers[0].error)
    said = {
        "project": slug,
        "model_version": result.version.number,
        "predictions": [
            _present_answer(file.name or "", answer) for file, answer in zip(files, result.answers, strict=True)
        ],
        "milliseconds": round(result.milliseconds, 2),
    }
    # Past the check against the schema, which would take longer than finding the project.
    return JsonResponse(said)


def _present_answer(file: str, answer: prediction.Answer) -> dict[str, Any]:
    classes = [{"name": name, "probability": share} for name, share in answer.classes]
    said = {"file": file, "classes": classes, "none_of_these": answer.none_of_these}
    if answer.error:
        return {**said, "error": answer.error}
    if answer.none_of_these:
        said["reason"] = str(answer.reason)
    return said if answer.likeness is None else {**said, "likeness": answer.likeness}
