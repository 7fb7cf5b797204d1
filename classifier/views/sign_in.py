"""Signing in: the password, then the second factor of those who have one; and signing out."""

import time
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from classifier.clients import address_group, client_address
from classifier.services import directories, passkeys, second_factor, sign_in
from classifier.views.identity import SIGNED_IN_AT
from ml.errors import UserError

LOCAL = "django.contrib.auth.backends.ModelBackend"  # whoever signs in without another backend's saying so
WAITING = "second_factor"  # in a session: who has still to give the code
CHALLENGE = "passkey_challenge"  # in a session: what a passkey was asked
WAITS_SECONDS, SHORTLY_SECONDS = 600, 3600


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=60,
        help_text="The six digits that your app shows, or a recovery code.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


class SignIn(LoginView):
    """Django's, which slows down guesses for one account from one address."""

    template_name = "classifier/sign_in_page.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        who = request.POST.get("username", ""), address_group(client_address(request))
        try:
            sign_in.count_try(*who)
        except sign_in.TooManyTries as error:
            return self._refuse(str(error), error.status, {"Retry-After": str(error.seconds)})
        response: HttpResponse = super().post(request, *args, **kwargs)
        if response.status_code == 302:
            sign_in.forget_tries(*who)
        else:
            sign_in.record_failure(*who)
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Say so where the directory could not be asked: the password may have been right."""
        if directories.was_away(self.request):
            return self._refuse(directories.AWAY, 503)
        return super().form_invalid(form)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        return let_in(self.request, form.get_user(), then=self.get_success_url())

    def _refuse(self, sentence: str, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
        form = self.get_form_class()(self.request, initial={"username": self.request.POST.get("username", "")})
        context = self.get_context_data(form=form, refused=sentence)
        return self.render_to_response(context, status=status, headers=headers)


class SignOut(LogoutView):
    pass


def let_in(request: HttpRequest, user: Any, *, then: str) -> HttpResponse:
    """Sign somebody in who has proved who they are, or ask for the code of those who have a second factor.

    `then` is an address of this site, to which they are sent afterwards.
    """
    backend = getattr(user, "backend", LOCAL)
    if not second_factor.is_on(user):
        return _enter(request, user, backend, then)
    request.session.cycle_key()
    keep_shortly(request)
    request.session[WAITING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "backend": backend,
        "then": then,
        "since": time.time(),
    }
    return redirect("sign_in_code")


def keep_shortly(request: HttpRequest) -> None:
    """Let a session of somebody who is not signed in end soon: strangers begin as many as they like."""
    if not request.user.is_authenticated:
        request.session.set_expiry(SHORTLY_SECONDS)


def enter(request: HttpRequest, user: User, backend: str = LOCAL) -> None:
    """Sign somebody in, for as long as everybody."""
    request.session.pop(WAITING, None)
    request.session.set_expiry(None)
    login(request, user, backend)
    request.session[SIGNED_IN_AT] = time.time()


def _enter(request: HttpRequest, user: User, backend: str, then: str) -> HttpResponse:
    enter(request, user, backend)
    sign_in.record_success(user)
    return HttpResponseRedirect(then)


@sensitive_post_parameters()
@never_cache
def code(request: HttpRequest) -> HttpResponse:
    """Ask whoever has given the password for the code, and sign them in."""
    waiting, user = _find_waiting(request)
    if user is None:
        return redirect("sign_in")
    form, status = CodeForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        request.session.pop(CHALLENGE, None)
        address = address_group(client_address(request))
        if form.is_valid():
            try:
                second_factor.check_code(user, form.cleaned_data["code"], address=address)
            except UserError as error:
                form.add_error("code", str(error))
                sign_in.record_failure(user.username, address)
                status = error.status
            else:
                return _enter(request, user, waiting["backend"], waiting["then"])
    if not second_factor.has_app(user):
        form.fields["code"].label, form.fields["code"].help_text = "Recovery code", ""
    context = {"form": form, "options": _challenge(request, user)}
    return render(request, "classifier/sign_in_code_page.html", context, status=status)


def _challenge(request: HttpRequest, user: User) -> str:
    """Return what a passkey is asked to prove, or nothing where there is none."""
    if not passkeys.is_possible() or not user.passkeys.exists():
        return ""
    options, request.session[CHALLENGE] = passkeys.begin_check(user)
    return options


@require_POST
def passkey(request: HttpRequest) -> HttpResponse:
    """Sign in whoever has given the password and has a passkey of the account at hand."""
    waiting, user = _find_waiting(request)
    if user is None:
        return redirect("sign_in")
    try:
        passkeys.check(user, request.session.pop(CHALLENGE, {}), request.POST.get("answer", ""))
    except UserError as error:
        sign_in.record_failure(user.username, address_group(client_address(request)))
        messages.error(request, str(error))
        return redirect("sign_in_code")
    return _enter(request, user, waiting["backend"], waiting["then"])


def _find_waiting(request: HttpRequest) -> tuple[dict[str, Any], User | None]:
    """Return who has given the password in this session, some minutes ago at most, unless it was changed since."""
    waiting: dict[str, Any] = request.session.get(WAITING, {})
    user = User.objects.filter(pk=waiting.get("user", 0), is_active=True).first()
    if user is None or time.time() - waiting["since"] > WAITS_SECONDS:
        return waiting, None
    same = constant_time_compare(user.get_session_auth_hash(), waiting["hash"])
    return waiting, user if same else None
