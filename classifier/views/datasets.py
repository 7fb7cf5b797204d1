"""A project's pictures to take away, and its dataset versions."""

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404

from classifier.access import SignedIn, project_page
from classifier.downloads import send_pictures
from classifier.models import Project
from classifier.parsing import parse_number


@project_page
def download(request: SignedIn, project: Project) -> HttpResponseBase:
    """Send the pictures as they are now, or those of a dataset version."""
    number = request.GET.get("dataset_version")
    version = get_object_or_404(project.dataset_versions, number=parse_number(number) or 0) if number else None
    return send_pictures(project, version, manifest_only=bool(request.GET.get("manifest_only")))
