"""Who belongs to a project, and the page of an invitation."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page, project_page_for
from classifier.member_forms import InvitationForm, MemberForm
from classifier.models import Project
from classifier.roles import GIVEN, MAY, Role
from classifier.services import members as service
from classifier.services.accounts import may_sign_up
from ml.errors import UserError


@project_page
@never_cache
def members(request: SignedIn, project: Project) -> HttpResponse:
    """Show who belongs to the project, and to its owner what lets people in."""
    return _page(request, project)


def _page(
    request: SignedIn, project: Project, form: MemberForm | None = None, invitation: InvitationForm | None = None
) -> HttpResponse:
    context = {
        "project": project,
        "members": service.list_members(project),
        "invitations": [(one, service.invitation_address(one)) for one in service.list_invitations(project)],
        "roles": [(role.value, role.label) for role in GIVEN],
        "may": [(role.label, MAY[role]) for role in Role],
        "form": form or MemberForm(user=request.user),
        "invitation_form": invitation or InvitationForm(with_mail=settings.MAIL_IS_SET_UP),
    }
    status = 422 if form or invitation else 200
    return render(request, "classifier/members_page.html", context, status=status)


@project_page_for(Role.OWNER)
@require_POST
def add(request: SignedIn, project: Project) -> HttpResponse:
    form = MemberForm(request.POST, user=request.user)
    if not form.is_valid():
        return _page(request, project, form=form)
    team, role = form.cleaned_data.get("team"), form.cleaned_data["role"]
    try:
        if team:
            service.add_team(project, team, role, by=request.user)
        else:
            service.add_member(project, form.cleaned_data["username"], role, by=request.user)
    except UserError as error:
        form.add_error("username", str(error))
        return _page(request, project, form=form)
    return redirect("members", project.slug)


@project_page_for(Role.OWNER)
@require_POST
def invite(request: SignedIn, project: Project) -> HttpResponse:
    form = InvitationForm(request.POST, with_mail=settings.MAIL_IS_SET_UP)
    if not form.is_valid():
        return _page(request, project, invitation=form)
    try:
        made = service.invite(project, by=request.user, **form.cleaned_data)
    except UserError as error:
        form.add_error(None, str(error))
        return _page(request, project, invitation=form)
    if form.cleaned_data.get("email") and not made.email:
        messages.error(request, "The mail could not be sent. Copy the link below and pass it on yourself.")
    return redirect("members", project.slug)


@project_page_for(Role.OWNER)
@require_POST
def revoke(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    service.revoke_invitation(get_object_or_404(project.invitations, pk=pk))
    return redirect("members", project.slug)


@project_page_for(Role.OWNER)
@require_POST
def change_role(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    role = request.POST.get("role", "")
    if role in Role:
        service.change_role(get_object_or_404(project.memberships, pk=pk), Role(role))
    return redirect("members", project.slug)


@project_page_for(Role.OWNER)
@require_POST
def remove(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    service.remove_member(get_object_or_404(project.memberships, pk=pk))
    return redirect("members", project.slug)


@project_page_for(Role.OWNER)
@require_POST
def hand_on(request: SignedIn, project: Project) -> HttpResponse:
    heir = service.hand_on(project, request.POST.get("username", ""), by=request.user)
    messages.success(request, f"The project is {heir.username}’s now. You are an editor of it.")
    return redirect("members", project.slug)


@project_page_for(Role.CLASSIFIER)
@require_POST
def leave(request: SignedIn, project: Project) -> HttpResponse:
    service.leave(project, by=request.user)
    messages.success(request, f"You have left “{project.name}”.")
    return redirect("project_list")


@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Say what one is invited to, to whoever has the link; only a press makes a member."""
    found = service.find_invitation(token)
    context = {"invitation": found, "may": MAY[Role(found.role)], "may_sign_up": may_sign_up(token)}
    return render(request, "classifier/invitation_page.html", context)


@login_required
@require_POST
def accept(request: SignedIn, token: str) -> HttpResponse:
    project = service.accept(token, by=request.user)
    messages.success(request, f"Welcome to “{project.name}”.")
    return redirect(project)
