"""Asking which backbone fits a project's pictures best."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page
from classifier.jobs.sending import TooManyJobs
from classifier.models import Project
from classifier.services.backbone_comparisons import request_comparison
from ml.errors import UserError


@project_page
@require_POST
def compare(request: SignedIn, project: Project) -> HttpResponse:
    """Start a comparison, or go to the one that is open."""
    try:
        return redirect(request_comparison(project, by=request.user))
    except (TooManyJobs, UserError) as error:
        messages.error(request, str(error))
        return redirect("train", project.slug)
