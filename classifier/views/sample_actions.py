"""What can be done with chosen pictures: each action is an entry of a table, from which addresses and pages derive."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page
from classifier.models import Change, ImageClass, Project, Sample
from classifier.parsing import parse_number, parse_numbers
from classifier.sample_filters import parse_filter, select_samples
from classifier.selectors import list_classes
from classifier.services import samples
from classifier.services.classes import BadClass
from classifier.services.erasing import describe_erased, erase_samples
from classifier.services.history import count_pictures
from classifier.services.projects import get_or_create_class
from classifier.views.acts import answer, refuse
from ml.datasets.splits import SPLITS
from ml.errors import UserError

NEW = "new"  # in the place of a class: one of the name that is given
Run = Callable[[Project, QuerySet[Sample], QueryDict, User], Change]


def _move(project: Project, chosen: QuerySet[Sample], said: QueryDict, by: User) -> Change:
    return samples.move_samples(project, chosen, to=_class_named(project, said), by=by)


def _class_named(project: Project, said: QueryDict) -> ImageClass:
    """Return the class that is chosen, or the new one whose name is given. Raise InvalidName, BadClass."""
    if said.get("to", NEW) == NEW:
        return get_or_create_class(project, said.get("new", ""))
    found = list_classes(project).filter(pk=parse_number(said.get("to")) or 0).first()
    if found is None:
        raise BadClass("This class is not there any more. Reload the page to see those that are.")
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


@project_page
@require_POST
def act(request: SignedIn, project: Project, action: str) -> HttpResponse:
    """Do something with the chosen pictures, or with all that match the filter of the page."""
    try:
        return answer(request, project, ACTIONS[action](project, chosen(request, project), request.POST, request.user))
    except UserError as error:
        return refuse(request, project, error)


@project_page
@require_POST
def erase(request: SignedIn, project: Project) -> HttpResponse:
    """Delete the chosen pictures at once and for good, and say what stays."""
    try:
        erased = erase_samples(project, chosen(request, project), by=request.user)
    except UserError as error:
        return refuse(request, project, error)
    messages.success(request, describe_erased(erased))
    return redirect(f"{reverse('pictures', args=[project.slug])}?deleted=true")


@project_page
@require_POST
def empty_trash(request: SignedIn, project: Project) -> HttpResponse:
    """Delete what is in the trash for good."""
    messages.success(request, f"{count_pictures(samples.purge_samples(project))} deleted permanently.")
    return redirect(project)


def chosen(request: SignedIn, project: Project) -> QuerySet[Sample]:
    """Select the pictures that are ticked, or all that match the filter of the page."""
    said: Any = request.POST
    if said.get("all"):
        return select_samples(project, parse_filter(QueryDict(said.get("filter", ""))))
    return samples.pick(project, parse_numbers([*said.getlist("sample"), said.get("ids", "")]))
