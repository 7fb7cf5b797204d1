"""What a project that is always up to date would answer like now, shown live, and kept as a version."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page
from classifier.candidate_words import describe_figures, describe_range
from classifier.models import Project
from classifier.services.candidates import find_state, keep_candidate
from ml.errors import UserError

POLL, POLL_WHILE_TRAINING = 3, 1  # seconds


def candidate_context(project: Project) -> dict[str, Any]:
    """Return what a page shows of the candidate; nothing where the project is not always up to date."""
    state = find_state(project)
    if state is None:
        return {"candidate_state": None}
    candidate = state.candidate
    return {
        "candidate_state": state,
        "figures": describe_figures(state),
        "range": describe_range(candidate.accuracy) if candidate and candidate.artifact_digest else "",
        "every": POLL_WHILE_TRAINING if state.is_training else POLL,
    }


@project_page
def part(request: SignedIn, project: Project) -> HttpResponse:
    """Return the part of a page that shows the candidate, or nothing new."""
    context = candidate_context(project)
    state = context["candidate_state"]
    if state is not None and request.GET.get("seen") == state.token:
        return HttpResponse(status=204)  # the page stays as it is, and so does what has the focus
    return render(request, "classifier/_candidate_part.html", {"project": project, **context})


@project_page
@require_POST
def keep(request: SignedIn, project: Project) -> HttpResponse:
    """Keep the candidate as a version."""
    try:
        version = keep_candidate(project, by=request.user)
    except UserError as error:
        messages.error(request, str(error))
        return redirect(project)
    messages.success(request, f"Kept as version {version.number}.")
    return redirect(version)
