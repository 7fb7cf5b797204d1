"""What takes room on the disk, for the administrator."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, administrator_page
from classifier.disk import free_bytes
from classifier.services import disk_usage as service
from ml.errors import UserError


@administrator_page
def disk_usage(request: SignedIn) -> HttpResponse:
    """Show what was measured last."""
    context = {"usage": service.get_disk_usage(), "free": free_bytes()}
    return render(request, "classifier/disk_usage_page.html", context)


@administrator_page
@require_POST
def measure(request: SignedIn) -> HttpResponse:
    try:
        service.request_measurement(by=request.user)
    except UserError as error:
        messages.error(request, str(error))
    return redirect("disk_usage")
