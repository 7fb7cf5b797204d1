"""The first visit, signing up, and keys for the API."""

from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from classifier.access import SignedIn
from classifier.forms import AccountForm, KeyForm, SetUpForm
from classifier.services import accounts
from classifier.services import set_up as set_up_service
from classifier.services.domain_sign_up import is_by_domain
from classifier.views import domain_sign_up
from classifier.views.sign_in import enter


@sensitive_post_parameters()
def set_up(request: HttpRequest) -> HttpResponse:
    """Let the first visitor of an empty site create the administrator."""
    if not set_up_service.site_is_empty():
        return redirect("project_list")
    form = SetUpForm(request.POST or None)
    return _make_account(request, form, set_up_service.create_administrator, "classifier/set_up_page.html")


@sensitive_post_parameters()
def sign_up(request: HttpRequest) -> HttpResponse:
    """Let a stranger make an account; who has an invitation goes back to it, or is a member already."""
    token = request.GET.get("invitation", "")
    if not accounts.may_sign_up(token):
        raise Http404
    then = reverse("invitation", args=[token]) if token else reverse("project_list")
    if request.user.is_authenticated:
        return redirect(then)
    if is_by_domain():
        return domain_sign_up.sign_up(request)
    if settings.SIGNUP == accounts.BY_INVITATION:
        then = reverse("project_list")
    create = partial(accounts.sign_up, invitation=token)
    return _make_account(request, AccountForm(request.POST or None), create, "classifier/sign_up_page.html", then)


def _make_account(
    request: HttpRequest, form: AccountForm, create: Callable[..., User], template: str, then: str = "project_list"
) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        code = {"code": given["code"]} if "code" in given else {}
        try:
            user = create(given["username"], given["password1"], **code)
        except set_up_service.WrongCode as error:
            form.add_error("code", str(error))
        except accounts.NotAllowed as error:
            form.add_error("username", str(error))
        else:
            enter(request, user)
            return redirect(then)
    return render(request, template, {"form": form}, status=422 if form.errors else 200)


@login_required
@never_cache
def api_keys(request: SignedIn) -> HttpResponse:
    """Show the user's keys, and a new one once, in the answer to the form that created it."""
    form = KeyForm(request.POST or None)
    new_key = ""
    if request.method == "POST" and form.is_valid():
        _, new_key = accounts.create_api_key(request.user, **form.cleaned_data)
        form = KeyForm()
    keys = request.user.api_keys.filter(revoked_at=None)
    context = {"form": form, "keys": keys, "new_key": new_key}
    return render(request, "classifier/keys_page.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def revoke_key(request: SignedIn, pk: int) -> HttpResponse:
    accounts.revoke_api_key(get_object_or_404(request.user.api_keys, pk=pk))
    messages.success(request, "The key has been revoked and no longer works.")
    return redirect("api_keys")
