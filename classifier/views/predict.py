"""The form that names pictures."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from classifier import selectors
from classifier.access import SignedIn, project_page_for
from classifier.browser_features import may_use_camera
from classifier.catalogue import input_size
from classifier.models import ModelVersion, Project
from classifier.models.alias import LIVE
from classifier.roles import Role
from classifier.services import prediction
from classifier.services.explanations import may_explain
from classifier.services.images import read_bounded
from classifier.views.why import explain_for_page
from ml.errors import UserError
from ml.training.rejection import SENTENCES

TOP = 5
LIVE_ROWS = 8  # of classes, while the camera runs
WHY = "why"  # the field with the class that is to be explained
MOST_VERSIONS = 50  # to choose from; others by their own page


@may_use_camera
@project_page_for(Role.CLASSIFIER)
def classify(request: SignedIn, project: Project) -> HttpResponse:
    """Show the page or, for posted pictures, the predictions as a part of it; `?version=` is a number or an alias."""
    if unknown := set(request.GET) - {"version"}:
        raise BadRequest(f"There is no parameter “{min(unknown)[:100]}” here; there is “version”.")
    wanted = request.GET.get("version", LIVE)
    version = selectors.find_version(project, wanted)
    if version is None and wanted != LIVE:
        raise Http404
    if request.method == "POST":
        return _answer_member(request, project, wanted)
    live = selectors.live_version(project)
    context = {"project": project, "version": version, "live": live, **(_context(version) if version else {})}
    context["asked"] = f"?version={version.number}" if version and version != live else ""
    context["api_address"] = reverse("api:classify", args=[project.slug]) + str(context["asked"])
    return render(request, "classifier/classify_page.html", context)


def _context(version: ModelVersion) -> dict[str, object]:
    """Return what can be chosen and what classifying from the camera needs.

    That is the first rows, and how large a picture the network looks at.
    """
    return {
        "numbers": version.project.model_versions.values_list("number", flat=True)[:MOST_VERSIONS],
        "live_rows": selectors.class_names(version)[:LIVE_ROWS],
        "input_size": input_size(version.backbone),
    }


def _answer_member(request: SignedIn, project: Project, wanted: str) -> HttpResponse:
    """Answer with the reasons too, which show pictures of the project, to those who may see them."""
    version = prediction.find_answering(request.user, project.slug, wanted)
    if project.role is None or not project.role.reaches(Role.VIEWER):
        return answer_part(request, version)
    explained = selectors.find_version(project, wanted) if version and may_explain(version.backbone) else None
    return answer_part(request, version, project=project, explained=explained)


def answer_part(
    request: HttpRequest,
    version: prediction.AnsweringVersion | None,
    *,
    before: Callable[[int], None] = lambda pictures: None,
    project: Project | None = None,
    explained: ModelVersion | None = None,
) -> HttpResponse:
    """Return what a version says of the posted pictures, as a part of a page.

    `before` is told how many there are, and may raise UserError. Where `explained` is given, people may ask why.
    """
    files = request.FILES.getlist("image")[: settings.MAX_CLASSIFY_FILES]
    if not files:
        return _part(request, {"error": "Choose a picture first."}, 422)
    pictures = [read_bounded(file) for file in files]
    try:
        if version is None:
            raise prediction.NothingLive
        before(len(pictures))
        result = prediction.answer(version, pictures)
    except UserError as error:
        return _part(request, {"error": str(error)}, error.status)
    answers: list[dict[str, Any]] = [
        {"file": file.name, "said": answer, "classes": answer.classes[:TOP], "sentence": SENTENCES[answer.reason]}
        for file, answer in zip(files, result.answers, strict=True)
    ]
    if explained and WHY in request.POST:
        answers = _explain(explained, request.POST[WHY], pictures, answers)
    context: dict[str, object] = {"project": project, "result": result, "answers": answers}
    context |= {"can_explain": explained, "may_know": project is not None}
    return _part(request, context, 200)


def _explain(
    version: ModelVersion, class_name: str, pictures: list[bytes], answers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to each answer why it is as it is, for a class or, if that is empty, for the likeliest."""
    return [
        one if one["said"].error else {**one, "why": explain_for_page(version, picture, class_name)}
        for one, picture in zip(answers, pictures, strict=True)
    ]


def _part(request: HttpRequest, context: dict[str, object], status: int) -> HttpResponse:
    return render(request, "classifier/_answers.html", context, status=status)
