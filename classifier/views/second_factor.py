"""Turning one's second factor on and off."""

import time
from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from classifier.access import SignedIn
from classifier.clients import address_group, client_address
from classifier.services import second_factor as service
from classifier.views.identity import IdentityForm, ask_and_act
from classifier.views.sign_in import CodeForm
from ml.errors import UserError

SHOWN_UNTIL, SHOWN_SECONDS = "second_factor_key", 600  # in a session: until when it shows the key of an app


class TurnOffForm(IdentityForm, CodeForm):
    """What proves twice that it is the user."""

    field_order = ("password", "code")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["code"].widget.attrs["autofocus"]


class TurnOnForm(CodeForm):
    """The proof that the app has the key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = "The six digits that the app shows now."


@sensitive_post_parameters()
@login_required
@never_cache
def turn_on(request: SignedIn) -> HttpResponse:
    """Ask for the password, and then show a new key for an app.

    An open browser would otherwise be enough to lock its user out, or to learn the key that the user takes later.
    """
    if service.has_app(request.user):
        return redirect("account")

    def act() -> None:
        service.begin(request.user)
        request.session[SHOWN_UNTIL] = time.time() + SHOWN_SECONDS

    return ask_and_act(request, act, "classifier/second_factor_on_page.html", {}, then="second_factor_key")


@sensitive_post_parameters()
@login_required
@never_cache
def show_key(request: SignedIn) -> HttpResponse:
    """Show the key as a QR code, and recovery codes, once, when a code of the app has proved that it has the key."""
    device = service.find_unproved(request.user)
    if device is None or time.time() > request.session.get(SHOWN_UNTIL, 0.0):
        return redirect("second_factor_on")
    form, status = TurnOnForm(request.POST or None), 200
    if form.is_valid():
        try:
            codes = service.turn_on(request.user, form.cleaned_data["code"])
        except UserError as error:
            form.add_error("code", str(error))
            status = error.status
        else:
            del request.session[SHOWN_UNTIL]
            return _show(request, codes)
    picture = segno.make(device.config_url, error="m").svg_data_uri(scale=4, border=4, light="#fff")
    context = {"form": form, "picture": picture, "secret": service.secret_text(device)}
    return render(request, "classifier/second_factor_key_page.html", context, status=_status(form, status))


@sensitive_post_parameters()
@login_required
@never_cache
def renew_codes(request: SignedIn) -> HttpResponse:
    """Show new recovery codes, once, to whoever gives a code."""
    form, status = CodeForm(request.POST or None), 200
    if form.is_valid():
        try:
            code = form.cleaned_data["code"]
            return _show(request, service.renew_recovery_codes(request.user, code, address=_address(request)))
        except UserError as error:
            form.add_error("code", str(error))
            status = error.status
    return render(request, "classifier/second_factor_codes_page.html", {"form": form}, status=_status(form, status))


@sensitive_post_parameters()
@login_required
@never_cache
def turn_off(request: SignedIn) -> HttpResponse:
    """Turn it off for whoever gives the password and a code."""
    form, status = TurnOffForm(request.POST or None, request=request), 200
    if form.is_valid():
        try:
            form.check_identity()
            service.turn_off(request.user, form.cleaned_data["code"], address=_address(request))
        except UserError as error:
            status = form.refuse(error, beside="code")
        else:
            with_passkey = service.is_on(request.user)
            left = "Your passkeys go on working." if with_passkey else "Your password is enough to sign in."
            messages.success(request, f"No code of an app is asked for any more. {left}")
            return redirect("account")
    context = {"form": form, "has_passkeys": request.user.passkeys.exists()}
    return render(request, "classifier/second_factor_off_page.html", context, status=_status(form, status))


def _status(form: forms.Form, status: int) -> int:
    return 422 if form.errors and status == 200 else status


def _address(request: SignedIn) -> str:
    return address_group(client_address(request))


def _show(request: SignedIn, codes: list[str]) -> HttpResponse:
    return render(request, "classifier/recovery_codes_page.html", {"codes": codes})
