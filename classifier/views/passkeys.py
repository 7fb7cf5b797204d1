"""Adding and removing one's passkeys."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from classifier.access import SignedIn
from classifier.clients import address_group, client_address
from classifier.forms import NameForm
from classifier.services import passkeys as service
from classifier.services.identity import WrongPassword, check_identity, has_password
from classifier.user_forms import IdentityForm
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
    proof = {"with_password": has_password(request.user)}
    form = PasskeyForm(request.POST or None, label="What do you call it?", initial={"name": "My phone"}, **proof)
    status = 200
    if request.method == "POST":
        state, status = request.session.pop(ADDING, {}), 422
        if form.is_valid():
            given, address = form.cleaned_data, address_group(client_address(request))
            try:
                check_identity(request.user, given.get("password", ""), address=address)
                codes = service.add(request.user, state, request.POST.get("answer", ""), name=given["name"])
            except UserError as error:
                form.add_error("password" if isinstance(error, WrongPassword) else None, str(error))
                status = error.status
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
    form, status = IdentityForm(request.POST or None, with_password=has_password(request.user)), 200
    if request.method == "POST" and form.is_valid():
        try:
            address = address_group(client_address(request))
            check_identity(request.user, form.cleaned_data.get("password", ""), address=address)
        except UserError as error:
            form.add_error("password" if "password" in form.fields else None, str(error))
            status = error.status
        else:
            service.remove(passkey)
            messages.success(request, "The passkey has been removed.")
            return redirect("account")
    status = 422 if form.errors and status == 200 else status
    return render(request, "classifier/passkey_remove_page.html", {"form": form, "passkey": passkey}, status=status)
