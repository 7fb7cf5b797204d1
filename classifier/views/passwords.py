"""Changing the password, and setting a new one where it is forgotten."""

from django import forms
from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy

from classifier.clients import address_group, client_address
from classifier.services import sessions
from classifier.services.audit_log import record
from classifier.services.forgotten_passwords import request_password_mail
from ml.errors import UserError

SENT = "If an account has the address {}, a mail with a link is on its way there. It may take a minute."


class ForgotForm(forms.Form):
    """The address of somebody who cannot sign in."""

    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


def forgot_password(request: HttpRequest) -> HttpResponse:
    """Have a link mailed to whoever has the address, with the same answer whether or not somebody has."""
    form, status = ForgotForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            email = form.cleaned_data["email"]
            try:
                request_password_mail(email, asked_from=address_group(client_address(request)))
            except UserError as error:
                form.add_error(None, str(error))
                status = error.status
            else:
                messages.info(request, SENT.format(email))
                return redirect("sign_in")
    return render(request, "classifier/forgot_password_page.html", {"form": form}, status=status)


class ChangePassword(PasswordChangeView):
    template_name = "classifier/password_page.html"
    success_url = reverse_lazy("project_list")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, "Your password has been changed, and you are signed out everywhere else.")
        record("password.changed")
        return super().form_valid(form)


class SetPassword(PasswordResetConfirmView):
    """The page of a link with which somebody sets a password, once."""

    template_name = "classifier/set_password_page.html"
    success_url = reverse_lazy("sign_in")

    def get_user(self, uidb64: str) -> User | None:
        """Return the user of the link, unless the account is disabled."""
        found = super().get_user(uidb64)
        return found if isinstance(found, User) and found.is_active else None

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        response = super().form_valid(form)
        messages.success(self.request, "Your password has been set. Sign in with it.")
        record("password.set", by=form.user)
        # The session here, if it is one, has lost its worth with the old password.
        sessions.end_sessions(form.user, besides=self.request.session.session_key)
        return response
