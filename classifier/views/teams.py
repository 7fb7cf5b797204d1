"""Teams: people who are given roles in projects together."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn
from classifier.forms import NameForm
from classifier.services import teams as service
from ml.errors import UserError


@login_required
def teams(request: SignedIn) -> HttpResponse:
    """List the user's teams, and make new ones."""
    form = NameForm(request.POST or None, label="Name of the team")
    if request.method == "POST" and form.is_valid():
        try:
            service.create_team(form.cleaned_data["name"], by=request.user)
            return redirect("teams")
        except UserError as error:
            form.add_error("name", str(error))
    found = service.list_teams(request.user).prefetch_related("members")
    context = {"teams": found, "form": form}
    return render(request, "classifier/teams_page.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def add(request: SignedIn, pk: int) -> HttpResponse:
    team = get_object_or_404(request.user.own_teams, pk=pk)
    try:
        service.add_to_team(team, request.POST.get("username", ""))
    except UserError as error:
        messages.error(request, str(error))
    return redirect("teams")


@login_required
@require_POST
def remove(request: SignedIn, pk: int, user_pk: int) -> HttpResponse:
    """Take somebody out of a team of one's own, or leave a team of others."""
    mine = request.user.own_teams if user_pk != request.user.pk else service.list_teams(request.user)
    team = get_object_or_404(mine, pk=pk)
    service.remove_from_team(team, get_object_or_404(team.members, pk=user_pk))
    return redirect("teams")


@login_required
@require_POST
def delete(request: SignedIn, pk: int) -> HttpResponse:
    service.delete_team(get_object_or_404(request.user.own_teams, pk=pk))
    return redirect("teams")
