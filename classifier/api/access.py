"""Whose project it is."""

from django.shortcuts import get_object_or_404

from classifier.models import Project
from classifier.selectors import list_projects
from classifier.views.access import SignedIn


def find_project(request: SignedIn, slug: str) -> Project:
    """Raises Http404 for a project that is not there or not theirs."""
    return get_object_or_404(list_projects(request.user), slug=slug)
