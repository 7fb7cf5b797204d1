"""The form that names pictures."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.browser_features import may_use_camera
from classifier.catalogue import input_size
from classifier.models import ModelVersion, Project
from classifier.services import prediction
from classifier.services.images import read_bounded
from ml.errors import UserError

TOP = 5
LIVE_ROWS = 8  # of classes, while the camera runs


@may_use_camera
@project_page
def classify(request: SignedIn, project: Project) -> HttpResponse:
    """Show the page or, for posted pictures, the predictions as a part of it."""
    if request.method == "POST":
        return _answer(request, project)
    version = selectors.live_version(project)
    context = {"project": project, "live": version, **(_live_context(version) if version else {})}
    return render(request, "classifier/classify_page.html", context)


def _live_context(version: ModelVersion) -> dict[str, object]:
    """Return what classifying from the camera needs: the first rows, and how large a picture the network looks at."""
    return {
        "live_rows": selectors.class_names(version)[:LIVE_ROWS],
        "input_size": input_size(version.backbone),
    }


def _answer(request: SignedIn, project: Project) -> HttpResponse:
    files = request.FILES.getlist("image")[: settings.MAX_CLASSIFY_FILES]
    if not files:
        return _part(request, {"error": "Choose a picture first."}, 422)
    try:
        result = prediction.classify(project, [read_bounded(file) for file in files])
    except UserError as error:
        return _part(request, {"error": str(error)}, error.status)
    answers = [
        {"file": file.name, "error": answer.error, "classes": answer.classes[:TOP]}
        for file, answer in zip(files, result.answers, strict=True)
    ]
    return _part(request, {"project": project, "result": result, "answers": answers}, 200)


def _part(request: SignedIn, context: dict[str, object], status: int) -> HttpResponse:
    return render(request, "classifier/_answers.html", context, status=status)
