"""Signing up with an e-mail address at one of the site's domains."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from classifier.clients import address_group, client_address
from classifier.forms import AccountForm
from classifier.services import domain_sign_up as service
from classifier.services.sign_in import TooManyTries, count_try
from classifier.views.identity import PasswordForm
from classifier.views.sign_in import enter
from ml.errors import UserError


class DomainForm(AccountForm):
    """An account whose user is mailed a link."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    field_order = ("username", "email", "password1", "password2")

    def clean_email(self) -> str:
        try:
            return service.check_email(self.cleaned_data["email"])
        except UserError as error:
            raise forms.ValidationError(str(error)) from None


class ConfirmForm(PasswordForm):
    """The password that was chosen when the account was asked for."""


@sensitive_post_parameters()
def sign_up(request: HttpRequest) -> HttpResponse:
    """Take name, address and password, and have a link mailed; `invitation` is where it leads in the end."""
    form, status = DomainForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            given = form.cleaned_data
            try:
                service.request_account(
                    given["username"],
                    given["password1"],
                    email=given["email"],
                    asked_from=address_group(client_address(request)),
                    invitation=request.GET.get("invitation", ""),
                )
            except UserError as error:
                form.add_error(None, str(error))
                status = error.status
            else:
                messages.info(request, f"A mail has been sent to {given['email']}. Open the link in it to finish.")
                return redirect("sign_in")
    context = {"form": form, "domains": " or ".join(settings.SIGNUP_DOMAINS)}
    return render(request, "classifier/sign_up_page.html", context, status=status)


@sensitive_post_parameters()
@never_cache
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Make the account of a link, once the password that goes with it is given."""
    if not service.is_by_domain():
        raise Http404
    wanted = service.find_sign_up(token)
    form, status = ConfirmForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                count_try(f"sign-up {wanted.pk}", address_group(client_address(request)))
                user = service.confirm(token, form.cleaned_data["password"])
            except TooManyTries as error:
                form.add_error("password", str(error))
                status = error.status
            except service.WrongPassword as error:
                form.add_error("password", str(error))
            else:
                enter(request, user)
                return redirect("invitation", wanted.invitation) if wanted.invitation else redirect("project_list")
    return render(request, "classifier/sign_up_confirm_page.html", {"form": form, "wanted": wanted}, status=status)
