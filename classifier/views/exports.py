"""A model version as files for elsewhere."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from classifier.models import Export, Project
from classifier.services.exports import FormatUnavailable, UnknownFormat, open_export, request_export
from classifier.views.access import SignedIn, project_page


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
def download(request: SignedIn, project: Project, number: int, format: str) -> HttpResponseBase:
    made = Export.objects.exclude(sha256="").select_related("model_version")
    found = get_object_or_404(made, model_version__project=project, model_version__number=number, format=format)
    return send_export(project, found)


def send_export(project: Project, found: Export) -> FileResponse:
    """Raises Http404 where the storage has lost it."""
    try:
        file = open_export(found)
    except OSError:
        raise Http404 from None
    name = f"{project.slug}-v{found.model_version.number}-{found.format}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
