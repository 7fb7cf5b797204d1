"""The first visit, signing in and up, the password, and keys for the API."""

import contextlib
import hashlib
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from redis.exceptions import RedisError

from classifier.access import SignedIn
from classifier.forms import AccountForm, KeyForm
from classifier.services import accounts

TRIES, TRIES_SECONDS = 10, 300


@sensitive_post_parameters()
def set_up(request: HttpRequest) -> HttpResponse:
    """Let the first visitor of an empty site create the administrator."""
    if not accounts.site_is_empty():
        return redirect("project_list")
    return _make_account(request, accounts.create_administrator, "classifier/set_up_page.html")


@sensitive_post_parameters()
def sign_up(request: HttpRequest) -> HttpResponse:
    if not settings.SIGNUP_OPEN:
        raise Http404
    if request.user.is_authenticated:
        return redirect("project_list")
    return _make_account(request, accounts.sign_up, "classifier/sign_up_page.html")


def _make_account(request: HttpRequest, create: Callable[[str, str], User], template: str) -> HttpResponse:
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = create(form.cleaned_data["username"], form.cleaned_data["password1"])
        except accounts.NotAllowed as error:
            form.add_error("username", str(error))
        else:
            login(request, user)
            return redirect("project_list")
    return render(request, template, {"form": form}, status=422 if form.errors else 200)


def _tries_key(request: HttpRequest) -> str:
    who = f"{request.META.get('REMOTE_ADDR')} {request.POST.get('username', '')[:150].lower()}"
    return "sign-in:" + hashlib.sha256(who.encode()).hexdigest()


def _count_try(key: str) -> int:
    """Count an attempt; return 0 without a cache, because people must be able to sign in while Redis is away."""
    try:
        cache.add(key, 0, TRIES_SECONDS)
        return int(cache.incr(key))
    except (RedisError, ValueError):  # ValueError: it expired between the two
        return 0


class SignIn(LoginView):
    """Django's, with a bound on guesses for one name from one address."""

    template_name = "classifier/sign_in_page.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        key = _tries_key(request)
        if _count_try(key) > TRIES:
            messages.error(request, "Too many attempts. Please wait five minutes.")
            return redirect("sign_in")
        response: HttpResponse = super().post(request, *args, **kwargs)
        if response.status_code == 302:
            with contextlib.suppress(RedisError):
                cache.delete(key)
        return response


class SignOut(LogoutView):
    pass


class ChangePassword(PasswordChangeView):
    template_name = "classifier/password_page.html"
    success_url = reverse_lazy("project_list")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, "Your password has been changed.")
        return super().form_valid(form)


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
