"""What has been done to a project's pictures and classes, and taking it back."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page
from classifier.models import Change, Project
from classifier.services import changes
from classifier.services.history import count_pictures, describe_change, list_changes
from classifier.views.acts import answer, refuse
from ml.errors import UserError

PAGE = 100
LABEL = Change.Kind.LABEL


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    """Show who did what, and when."""
    page = Paginator(list_changes(project), PAGE).get_page(request.GET.get("page"))
    context = {"project": project, "page": page, "rows": _fold_labels(page)}
    return render(request, "classifier/history_page.html", context)


def _fold_labels(acts: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the acts with their sentences; of labels that somebody gave one after the other, one row for all."""
    rows = []
    for _, following in groupby(acts, key=lambda act: (act.kind, act.created_by_id) if act.kind == LABEL else act.pk):
        told = [(act, describe_change(act)) for act in following]
        first, words = told[0]
        if len(told) > 1:
            words = f"{count_pictures(sum(act.count for act, _ in told))} labelled one by one"
        rows.append({"change": first, "words": words, "folded": told if len(told) > 1 else []})
    return rows


@project_page
@require_POST
def undo(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Take an act back."""
    try:
        back, left = changes.undo(get_object_or_404(project.changes, pk=pk), by=request.user)
    except UserError as error:
        return refuse(request, project, error)
    rest = f" Changed again since, and left so: {count_pictures(left)}." if left > 0 else ""
    return answer(request, project, back, f"{describe_change(back)}.{rest}")
