"""Signing in with an identity provider, and connecting an account with it."""

import time

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET

from classifier.access import SignedIn
from classifier.services import identities, oidc
from classifier.views.identity import ask_and_act
from classifier.views.sign_in import keep_shortly, let_in
from ml.errors import UserError

THEN, CONNECTING = "oidc_then", "oidc_connecting"  # in a session: where to go afterwards, and whom to connect
WAITS_SECONDS = 600


@require_GET
@never_cache
def begin(request: HttpRequest) -> HttpResponse:
    """Send somebody to the provider: to sign in or, where they are signed in, to connect their account."""
    _check_set_up()
    then = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(then, {request.get_host()}, require_https=request.is_secure())
    keep_shortly(request)
    request.session[THEN] = then if is_ours else reverse("project_list")
    try:
        return oidc.begin(request, settings.SITE_ORIGIN + reverse("oidc_callback"))
    except UserError as error:
        return _refuse(request, error)


@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Let in whom the provider sends back, or ask whether to connect the account that is signed in here."""
    _check_set_up()
    then = request.session.pop(THEN, reverse("project_list"))
    try:
        person = oidc.finish(request)
        if request.user.is_authenticated:
            request.session[CONNECTING] = {"person": vars(person), "since": time.time()}
            return redirect("oidc_connect")
        return let_in(request, oidc.find_account(person), then=then)
    except UserError as error:
        return _refuse(request, error)


@sensitive_post_parameters()
@login_required
@never_cache
def connect(request: SignedIn) -> HttpResponse:
    """Connect the account with whom the provider has just vouched for, for whoever gives the password."""
    _check_set_up()
    waiting = request.session.get(CONNECTING)
    if not waiting or time.time() - waiting["since"] > WAITS_SECONDS:
        return redirect("account")
    person = identities.Person(**waiting["person"])

    def act() -> None:
        identities.connect(request.user, person)
        del request.session[CONNECTING]
        messages.success(request, f"From now on you can sign in with {settings.OIDC_NAME}.")

    return ask_and_act(request, act, "classifier/oidc_connect_page.html", {"person": person})


@sensitive_post_parameters()
@login_required
def disconnect(request: SignedIn, pk: int) -> HttpResponse:
    """Let an identity open the account no longer, for whoever gives the password."""
    identity = get_object_or_404(request.user.identities, pk=pk)

    def act() -> None:
        identities.disconnect(identity)
        messages.success(request, "Disconnected.")

    return ask_and_act(request, act, "classifier/identity_disconnect_page.html", {"identity": identity})


def _check_set_up() -> None:
    if not oidc.is_set_up():
        raise Http404


def _refuse(request: HttpRequest, error: UserError) -> HttpResponse:
    messages.error(request, str(error))
    return redirect("account" if request.user.is_authenticated else "sign_in")
