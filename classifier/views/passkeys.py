"""Adding and removing one's passkeys."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from classifier.access import SignedIn
from classifier.forms import NameForm
from classifier.services import passkeys as service
from classifier.views.identity import IdentityForm, ask_and_act
from ml.errors import UserError

ADDING = "passkey_adding"  # in a session: what a browser was asked to make


class PasskeyForm(IdentityForm, NameForm):
    """A name, and the password: or an open browser would be enough to lock its user out."""

    field_order = ("name", "password")


@sensitive_post_parameters()
@login_required
@never_cache
def new(request: SignedIn) -> HttpResponse:
    """Let the browser make a passkey, and keep its public key; the first brings recovery codes, shown once."""
    if not service.is_possible():
        raise Http404
    named: dict[str, Any] = {"label": "What do you call it?", "initial": {"name": "My phone"}}
    form, status = PasskeyForm(request.POST or None, request=request, **named), 200
    if request.method == "POST":
        state, status = request.session.pop(ADDING, {}), 422
        if form.is_valid():
            try:
                form.check_identity()
                codes = service.add(request.user, state, request.POST.get("answer", ""), name=form.cleaned_data["name"])
            except UserError as error:
                status = form.refuse(error)
            else:
                if codes:
                    return render(request, "classifier/recovery_codes_page.html", {"codes": codes})
                messages.success(request, "The passkey has been added.")
                return redirect("account")
    options, request.session[ADDING] = service.begin_adding(request.user)
    return render(request, "classifier/passkey_new_page.html", {"form": form, "options": options}, status=status)


@sensitive_post_parameters()
@login_required
def remove(request: SignedIn, pk: int) -> HttpResponse:
    """Remove a passkey for whoever gives the password."""
    passkey = get_object_or_404(request.user.passkeys, pk=pk)

    def act() -> None:
        service.remove(passkey)
        messages.success(request, "The passkey has been removed.")

    return ask_and_act(request, act, "classifier/passkey_remove_page.html", {"passkey": passkey})
