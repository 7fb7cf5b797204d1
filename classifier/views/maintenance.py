"""What the administrator has to look after."""

from django.http import HttpResponse
from django.shortcuts import render

from classifier.access import SignedIn, administrator_page
from classifier.services.maintenance import look_after


@administrator_page
def maintenance(request: SignedIn) -> HttpResponse:
    return render(request, "classifier/maintenance_page.html", {"found": look_after()})
