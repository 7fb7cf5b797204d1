"""What is said of an act upon pictures or classes: on the next page, with a way to undo it, or to a script."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from classifier.access import SignedIn, wants_json
from classifier.models import Change, Project
from classifier.services.history import UNDO_TAG, describe_change
from ml.errors import UserError

GIVE_CLASSES = (Change.Kind.MOVE, Change.Kind.LABEL, Change.Kind.UNLABEL)


def tell(request: SignedIn, act: Change, sentence: str = "") -> None:
    """Say what was done on the next page, and offer to undo it if it changed anything."""
    undoable = bool(act.count or act.classes)
    if undoable or sentence:
        said = sentence or f"{describe_change(act)}."
        messages.success(request, said, extra_tags=f"{UNDO_TAG}{act.pk}" if undoable else "")


def answer(request: SignedIn, project: Project, act: Change, sentence: str = "") -> HttpResponse:
    """Go on at the page that the form names, which says what was done; or say it to a script."""
    sentence = sentence or f"{describe_change(act)}."
    if wants_json(request):
        given = {"class": act.details.get("to", "")} if act.kind in GIVE_CLASSES else {}
        return JsonResponse({"sentence": sentence, "change": act.pk, "changed": act.count, **given})
    tell(request, act, sentence)
    return redirect(safe_next(request, project))


def refuse(request: SignedIn, project: Project, error: UserError) -> HttpResponse:
    """Say why nothing was done, in the same way."""
    if wants_json(request):
        return JsonResponse({"error": str(error)}, status=error.status)
    messages.error(request, str(error))
    return redirect(safe_next(request, project))


def safe_next(request: SignedIn, project: Project) -> str:
    """Return the address to go on at: the one that the form names, if it is one of this project, or the project's."""
    wanted, home = request.POST.get("next", ""), project.get_absolute_url()
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith(home)
    return wanted if ours else home
