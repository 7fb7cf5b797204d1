"""Turning one's second factor on and off."""

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
from classifier.services.identity import WrongPassword, check_identity, has_password
from classifier.views.sign_in import CodeForm
from ml.errors import UserError


class ProvenCodeForm(CodeForm):
    """What proves twice that it is the user."""

    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    field_order = ("password", "code")

    def __init__(self, *args: Any, with_password: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["code"].widget.attrs["autofocus"]
        if not with_password:
            del self.fields["password"]


class TurnOnForm(ProvenCodeForm):
    """The password, or an open browser would be enough to lock its user out, and the proof that the app has the key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = "The six digits that the app shows now."


@sensitive_post_parameters()
@login_required
@never_cache
def turn_on(request: SignedIn) -> HttpResponse:
    """Show a QR code for an app, and recovery codes, once, when a code of the app has proved that it works."""
    form, status = TurnOnForm(request.POST or None, with_password=has_password(request.user)), 200
    if form.is_valid():
        given = form.cleaned_data
        try:
            check_identity(request.user, given.get("password", ""), address=_address(request))
            return _show(request, service.turn_on(request.user, given["code"]))
        except service.IsOn:
            return redirect("account")
        except UserError as error:
            form.add_error("password" if isinstance(error, WrongPassword) else "code", str(error))
            status = error.status
    if service.has_app(request.user):
        return redirect("account")
    device = service.begin(request.user)
    picture = segno.make(device.config_url, error="m").svg_data_uri(scale=4, border=4, light="#fff")
    context = {"form": form, "picture": picture, "secret": service.secret_text(device)}
    return render(request, "classifier/second_factor_on_page.html", context, status=_status(form, status))


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
    form, status = ProvenCodeForm(request.POST or None, with_password=has_password(request.user)), 200
    if form.is_valid():
        given, address = form.cleaned_data, _address(request)
        try:
            check_identity(request.user, given.get("password", ""), address=address)
            service.turn_off(request.user, given["code"], address=address)
        except UserError as error:
            form.add_error("password" if isinstance(error, WrongPassword) else "code", str(error))
            status = error.status
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
