"""Making a version live: first, what that would change for the worse."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from classifier import selectors
from classifier.access import SignedIn, project_page_for
from classifier.evaluation_choices import find_version
from classifier.models import ModelVersion, Project
from classifier.roles import Role
from classifier.services import model_versions
from classifier.services.quality_gate import check_version
from classifier.services.version_comparison import compare_versions
from classifier.views.comparison import SHOWN, changed_pictures, describe_comparison
from ml.errors import UserError

MOST_CLASSES = 10  # that become worse, and are named
UNREADABLE = "its files cannot be read now."


@project_page_for(Role.EDITOR)
def promote(request: SignedIn, project: Project, number: int) -> HttpResponse:
    """Show what would change if this version became live; posted, make it live."""
    version = find_version(project, number)
    if request.method == "POST":
        model_versions.promote(version, by=request.user)
        messages.success(request, f"Version {number} is now live.")
        return redirect(version)
    live = selectors.live_version(project)
    context = {"project": project, "before": live, "after": version, **gate_context(version)}
    if live is not None and live != version:
        context |= _compare(request, live, version)
    return render(request, "classifier/promote_page.html", context)


def _compare(request: SignedIn, live: ModelVersion, version: ModelVersion) -> dict[str, Any]:
    show = request.GET.get("show", "broken")
    try:
        found = compare_versions(live, version)
        pictures = changed_pictures(request, found, live, version, show if show in SHOWN else "broken")
    except (UserError, OSError) as error:
        return {"error": str(error) if isinstance(error, UserError) else UNREADABLE}
    falling = sorted((one for one in found.classes if one.after < one.before), key=lambda one: one.change or 0)
    return {
        "found": found,
        "falling": falling[:MOST_CLASSES],
        "more_falling": len(falling[MOST_CLASSES:]),
        **describe_comparison(found, live, version),
        **pictures,
        "more_url": "",  # the page that compares in full has the others
    }


def gate_context(version: ModelVersion) -> dict[str, Any]:
    """Return the conditions of the project's quality gate, and whether a version that is not live meets each."""
    if selectors.live_version(version.project) == version:
        return {"gate": []}
    try:
        return {"gate": check_version(version)}
    except OSError:
        return {"gate": [], "gate_error": UNREADABLE}
