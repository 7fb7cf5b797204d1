"""What can be done with chosen pictures: each action is an entry of a table, from which addresses and pages derive."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page, wants_json
from classifier.models import Change, ImageClass, Project, Sample
from classifier.parsing import parse_number
from classifier.sample_filters import parse_filter, select_samples
from classifier.selectors import list_classes
from classifier.services import samples
from classifier.services.changes import undo
from classifier.services.history import UNDO_TAG, describe_change
from classifier.services.projects import get_or_create_class
from classifier.views.paths import safe_next
from ml.datasets.splits import SPLITS
from ml.errors import UserError

NEW = "new"  # in the place of a class: one of the name that is given
Run = Callable[[Project, QuerySet[Sample], QueryDict, User], Change]


def _move(project: Project, chosen: QuerySet[Sample], said: QueryDict, by: User) -> Change:
    return samples.move_samples(project, chosen, to=_class_named(project, said), by=by)


def _class_named(project: Project, said: QueryDict) -> ImageClass:
    """Return the class that is chosen, or the new one whose name is given. Raise InvalidName."""
    if said.get("to", NEW) == NEW:
        return get_or_create_class(project, said.get("new", ""))
    found: ImageClass = get_object_or_404(list_classes(project), pk=parse_number(said.get("to")) or 0)
    return found


def _set_split(project: Project, chosen: QuerySet[Sample], said: QueryDict, by: User) -> Change:
    if said.get("split") not in SPLITS:
        raise Http404
    return samples.set_split(project, chosen, str(said["split"]), by=by)


def _label(project: Project, chosen: QuerySet[Sample], said: QueryDict, by: User) -> Change:
    return samples.label_samples(project, chosen, to=_class_named(project, said), by=by)


ACTIONS: dict[str, Run] = {
    "move": _move,
    "label": _label,
    "unlabel": lambda project, chosen, said, by: samples.unlabel_samples(project, chosen, by=by),
    "split": _set_split,
    "group": lambda project, chosen, said, by: samples.set_group(project, chosen, said.get("group", "").strip(), by=by),
    "tag": lambda project, chosen, said, by: samples.add_tag(project, chosen, said.get("tag", ""), by=by),
    "untag": lambda project, chosen, said, by: samples.remove_tag(project, chosen, said.get("tag", ""), by=by),
    "delete": lambda project, chosen, said, by: samples.delete_samples(project, chosen, by=by),
    "restore": lambda project, chosen, said, by: samples.restore_samples(project, chosen, by=by),
}
GIVE_CLASSES = (Change.Kind.MOVE, Change.Kind.LABEL, Change.Kind.UNLABEL)


@project_page
@require_POST
def act(request: SignedIn, project: Project, action: str) -> HttpResponse:
    """Do something with the chosen pictures, or with all that match the filter of the page."""
    try:
        done = ACTIONS[action](project, _chosen(request, project), request.POST, request.user)
    except UserError as error:
        if wants_json(request):
            return JsonResponse({"error": str(error)}, status=error.status)
        messages.error(request, str(error))
        return redirect(safe_next(request, project))
    return _tell(request, project, done, f"{describe_change(done)}.")


@project_page
@require_POST
def undo_change(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Take an act of the history back."""
    try:
        back, left = undo(get_object_or_404(project.changes, pk=pk), by=request.user)
    except UserError as error:
        if wants_json(request):
            return JsonResponse({"error": str(error)}, status=error.status)
        messages.error(request, str(error))
        return redirect(safe_next(request, project))
    rest = f" {left} of them stay as they are, as they have been changed since." if left > 0 else ""
    return _tell(request, project, back, f"{describe_change(back)}.{rest}")


def _tell(request: SignedIn, project: Project, done: Change, sentence: str) -> HttpResponse:
    if wants_json(request):
        given = {"class": done.details.get("to", "")} if done.kind in GIVE_CLASSES else {}
        return JsonResponse({"sentence": sentence, "change": done.pk, "changed": done.count, **given})
    messages.success(request, sentence, extra_tags=f"{UNDO_TAG}{done.pk}" if done.count or done.classes else "")
    return redirect(safe_next(request, project))


def _chosen(request: SignedIn, project: Project) -> QuerySet[Sample]:
    said: Any = request.POST
    if said.get("all"):
        return select_samples(project, parse_filter(QueryDict(said.get("filter", ""))))
    texts = [*said.getlist("sample"), *said.get("ids", "").split(",")]
    return samples.pick(project, (number for text in texts if (number := parse_number(text)) is not None))
