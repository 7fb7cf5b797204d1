"""Where a page goes next."""

from django.utils.http import url_has_allowed_host_and_scheme

from classifier.access import SignedIn
from classifier.models import Project


def safe_next(request: SignedIn, project: Project) -> str:
    """Return the address to go on at: the one that the form names, if it is one of this project, or the project's."""
    wanted, home = request.POST.get("next", ""), project.get_absolute_url()
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith(home)
    return wanted if ours else home
