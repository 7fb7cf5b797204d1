"""The form that names pictures."""

from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import render

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
        return _answer(request, project, wanted)
    live = selectors.live_version(project)
    context = {"project": project, "version": version, "live": live, **(_context(version) if version else {})}
    context["asked"] = f"?version={version.number}" if version and version != live else ""
    context["api_address"] = f"/api/v1/projects/{project.slug}/classify{context['asked']}"
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


def _answer(request: SignedIn, project: Project, wanted: str) -> HttpResponse:
    files = request.FILES.getlist("image")[: settings.MAX_CLASSIFY_FILES]
    if not files:
        return _part(request, {"error": "Choose a picture first."}, 422)
    pictures = [read_bounded(file) for file in files]
    try:
        version = prediction.find_answering(request.user, project.slug, wanted)
        if version is None:
            raise prediction.NothingLive
        result = prediction.answer(version, pictures)
    except UserError as error:
        return _part(request, {"error": str(error)}, error.status)
    answers = [
        {"file": file.name, "said": answer, "classes": answer.classes[:TOP], "sentence": SENTENCES[answer.reason]}
        for file, answer in zip(files, result.answers, strict=True)
    ]
    can_explain = may_explain(version.backbone)
    if can_explain and WHY in request.POST:
        answers = _explain(project, wanted, request.POST[WHY], pictures, answers)
    context = {"project": project, "result": result, "answers": answers, "can_explain": can_explain}
    return _part(request, context, 200)


def _explain(
    project: Project, wanted: str, class_name: str, pictures: list[bytes], answers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to each answer why it is as it is, for a class or, if that is empty, for the likeliest."""
    version = selectors.find_version(project, wanted)
    if version is None:  # it has gone meanwhile
        return answers
    return [
        one if one["said"].error else {**one, "why": explain_for_page(version, picture, class_name)}
        for one, picture in zip(answers, pictures, strict=True)
    ]


def _part(request: SignedIn, context: dict[str, object], status: int) -> HttpResponse:
    return render(request, "classifier/_answers.html", context, status=status)
