"""The form that asks, before what cannot be taken back, whether it is really the user who sits there."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render

from classifier.access import SignedIn
from classifier.clients import address_group, client_address
from classifier.services.identity import WrongPassword, check_identity, has_password
from ml.errors import UserError

SIGNED_IN_AT = "signed_in_at"  # in a session, seconds since 1970


class PasswordForm(forms.Form):
    """A password that somebody has."""

    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class IdentityForm(PasswordForm):
    """The password of whoever is signed in; of whoever has none, only the press."""

    def __init__(self, *args: Any, request: SignedIn, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        if not has_password(request.user):
            del self.fields["password"]

    def check_identity(self) -> None:
        """Check what was given. Raise UserError."""
        check_identity(
            self.request.user,
            self.cleaned_data.get("password", ""),
            address=address_group(client_address(self.request)),
            signed_in_at=self.request.session.get(SIGNED_IN_AT, 0.0),
        )

    def refuse(self, error: UserError, *, beside: str | None = None) -> int:
        """Show an error beside the password or another field, and return the status of the answer."""
        field = "password" if isinstance(error, WrongPassword) else beside
        self.add_error(field if field in self.fields else None, str(error))
        return error.status


def ask_and_act(
    request: SignedIn, act: Callable[[], None], template: str, context: dict[str, Any], *, then: str = "account"
) -> HttpResponse:
    """Show a page that asks for the password, act once it is right, and go on to the page `then`."""
    form, status = IdentityForm(request.POST or None, request=request), 200
    if request.method == "POST" and form.is_valid():
        try:
            form.check_identity()
            act()
        except UserError as error:
            status = form.refuse(error)
        else:
            return redirect(then)
    elif form.errors:
        status = 422
    return render(request, template, {**context, "form": form}, status=status)
