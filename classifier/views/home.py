"""The list of projects, a new one, and sample pictures to begin with."""

from django.contrib.auth.decorators import login_required
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn
from classifier.forms import NameForm
from classifier.models import Alias, Sample
from classifier.models.alias import LIVE
from classifier.roles import Role
from classifier.selectors import list_projects
from classifier.services.projects import create_project
from classifier.services.sample_sets import SAMPLE_SETS, start_sample_project

STRIP = ("newest_picture", "second_picture", "third_picture", "fourth_picture")


def _newest_pictures() -> dict[str, Subquery]:
    """Return the sha256 of each of the newest few pictures of a project, or null: each is one step in an index."""
    newest = Sample.objects.filter(project=OuterRef("pk"), deleted_at=None).order_by("-pk").values("image__sha256")
    return {name: Subquery(newest[place : place + 1]) for place, name in enumerate(STRIP)}


@login_required
def project_list(request: SignedIn) -> HttpResponse:
    projects = list(list_projects(request.user, Role.CLASSIFIER).select_related("owner").annotate(**_newest_pictures()))
    looked_at = set(list_projects(request.user).values_list("pk", flat=True))
    rows = Sample.objects.filter(project__in=projects, deleted_at=None).order_by()
    counts = dict(rows.values_list("project").annotate(Count("id")))
    live = Alias.objects.filter(Q(name=LIVE), project__in=projects).select_related("model_version")
    versions = {alias.project_id: alias.model_version for alias in live}
    cards = [
        {
            "project": project,
            "samples": counts.get(project.pk, 0),
            "live": versions.get(project.pk),
            "shared": project.owner_id != request.user.pk,
            "only_classify": project.pk not in looked_at,
            "strip": [sha256 for name in STRIP if (sha256 := getattr(project, name)) and project.pk in looked_at],
        }
        for project in projects
    ]
    context = {
        "cards": cards,
        "form": NameForm(label="What do you want to tell apart?"),
        "sample_sets": SAMPLE_SETS,
    }
    return render(request, "classifier/project_list_page.html", context)


@login_required
def project_new(request: SignedIn) -> HttpResponse:
    form = NameForm(request.POST or None, label="What do you want to tell apart?")
    if request.method == "POST" and form.is_valid():
        return redirect(create_project(form.cleaned_data["name"], by=request.user))
    context = {"form": form, "sample_sets": SAMPLE_SETS}
    return render(request, "classifier/project_new_page.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def sample_project(request: SignedIn, name: str) -> HttpResponse:
    if name not in SAMPLE_SETS:
        raise Http404
    _, upload = start_sample_project(name, by=request.user)
    return redirect(upload)
