"""A project's pictures to take away, and its dataset versions."""

from django.http import Http404, HttpResponseBase

from classifier.access import SignedIn, project_page
from classifier.downloads import send_pictures
from classifier.models import Project
from classifier.parsing import parse_number
from classifier.sample_filters import parse_filter


@project_page
def download(request: SignedIn, project: Project) -> HttpResponseBase:
    """Send the pictures that match the filter in the address, or those of a dataset version."""
    asked, only = request.GET.get("dataset_version"), bool(request.GET.get("manifest_only"))
    number = parse_number(asked) if asked else None
    if asked and number is None:
        raise Http404
    wanted = parse_filter(request.GET, ignored=("dataset_version", "manifest_only"))
    return send_pictures(project, wanted, number, manifest_only=only)
