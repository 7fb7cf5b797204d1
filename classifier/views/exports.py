"""A model version as files for elsewhere."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page
from classifier.downloads import send_export
from classifier.models import Export, Project
from classifier.services.exports import FormatUnavailable, UnknownFormat, request_export


@project_page
@require_POST
def export(request: SignedIn, project: Project, number: int, format: str) -> HttpResponse:
    version = get_object_or_404(project.model_versions.select_related("project"), number=number)
    try:
        job = request_export(version, format, by=request.user)
    except UnknownFormat:
        raise Http404 from None
    except FormatUnavailable as error:
        messages.error(request, str(error))
        return redirect(version)
    return redirect(job if job.is_open else version)


@project_page
def download(request: SignedIn, project: Project, number: int, format: str) -> FileResponse:
    made = Export.objects.exclude(sha256="").select_related("model_version")
    found = get_object_or_404(made, model_version__project=project, model_version__number=number, format=format)
    return send_export(project, found)
