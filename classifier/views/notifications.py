"""Mails and webhooks about the jobs that one has started."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from classifier.access import SignedIn
from classifier.models import MailWish
from classifier.services import notices
from classifier.views.identity import IdentityForm
from ml.errors import UserError

SHOWN = 10


class MailForm(IdentityForm):
    """Where mails go, and whether there are any. The password is needed to change the address alone."""

    email = forms.EmailField(label="Your e-mail address", required=False, max_length=254)
    wanted = forms.BooleanField(label="Send me a mail when a job that I started has ended", required=False)
    field_order = ("email", "password", "wanted")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if password := self.fields.get("password"):
            password.required = False
            password.help_text = "Only to change the address: a link to set a new password can be sent there."

    def clean(self) -> None:
        if self.cleaned_data.get("wanted") and not self.cleaned_data.get("email") and "email" not in self.errors:
            self.add_error("email", "Give the address that the mails go to.")


class WebhookForm(forms.Form):
    """The address of a program."""

    address = forms.CharField(
        label="Address", max_length=2000, help_text="https://… It is sent a signed message when a job has ended."
    )


@login_required
@never_cache
def notifications(request: SignedIn) -> HttpResponse:
    """Show what is sent where. A new webhook's secret is shown once, in the answer to the form that added it."""
    wants = MailWish.objects.filter(user=request.user, wants_mails=True).exists()
    sent = request.POST if request.method == "POST" else None
    initial = {"email": request.user.email, "wanted": wants}
    mail = MailForm(sent if sent and "mail" in sent else None, initial=initial, request=request)
    hook = WebhookForm(sent if sent and "webhook" in sent else None)
    added = None
    if mail.is_valid() and settings.MAIL_IS_SET_UP and _may_change(request, mail):
        notices.set_mails(request.user, address=mail.cleaned_data["email"], wanted=mail.cleaned_data["wanted"])
        messages.success(request, "Saved.")
        return redirect("notifications")
    if hook.is_valid():
        try:
            added = notices.add_webhook(request.user, hook.cleaned_data["address"])
            hook = WebhookForm()
        except UserError as error:
            hook.add_error("address", str(error))
    rows = [
        {"hook": one, "deliveries": one.deliveries.select_related("job")[:SHOWN]} for one in request.user.webhooks.all()
    ]
    context = {"mail": mail, "form": hook, "added": added, "rows": rows, "mail_is_set_up": settings.MAIL_IS_SET_UP}
    status = 422 if mail.errors or hook.errors else 200
    return render(request, "classifier/notifications_page.html", context, status=status)


def _may_change(request: SignedIn, mail: MailForm) -> bool:
    """Return whether the address stays, or it is the user who changes it: whoever reads its mails gets in."""
    if mail.cleaned_data["email"] == request.user.email:
        return True
    try:
        mail.check_identity()
    except UserError as error:
        mail.refuse(error, beside="email")
        return False
    return True


@login_required
@require_POST
def test_webhook(request: SignedIn, pk: int) -> HttpResponse:
    try:
        notices.request_test(get_object_or_404(request.user.webhooks, pk=pk))
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.info(request, "A test message is on its way. Reload this page in a moment to see what came of it.")
    return redirect("notifications")


@login_required
@require_POST
def remove_webhook(request: SignedIn, pk: int) -> HttpResponse:
    notices.remove_webhook(get_object_or_404(request.user.webhooks, pk=pk))
    messages.success(request, "The webhook has been removed. Nothing more is sent to it.")
    return redirect("notifications")
