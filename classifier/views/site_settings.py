"""The settings of the site and its banner, for the administrator."""

from itertools import groupby

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, administrator_page
from classifier.services import site_settings as service
from ml.errors import UserError


@administrator_page
def site_settings(request: SignedIn) -> HttpResponse:
    sections = [(name, list(rows)) for name, rows in groupby(service.list_settings(), lambda one: one.section)]
    context = {"sections": sections, "longest": service.LONGEST}
    return render(request, "classifier/site_settings_page.html", context)


@administrator_page
@require_POST
def banner(request: SignedIn) -> HttpResponse:
    try:
        service.set_banner(request.POST.get("banner", ""), by=request.user)
    except UserError as error:
        messages.error(request, str(error))
    return redirect("site_settings")
