"""What people decide for a project as a whole."""

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, project_page_for
from classifier.downloads import send_project_file
from classifier.models import Project
from classifier.roles import Role
from classifier.selectors import list_jobs
from classifier.services.project_files.offering import KEPT_DAYS, request_project_file
from classifier.services.project_settings import FIELDS, SettingsRefused, change_settings
from classifier.settings_forms import ProjectSettingsForm
from ml.errors import UserError


@project_page_for(Role.OWNER)
@require_POST
def write_file(request: SignedIn, project: Project) -> HttpResponse:
    """Start the job that writes the project into a file, for another site."""
    try:
        return redirect(request_project_file(project, by=request.user))
    except UserError as error:
        messages.error(request, str(error))
        return redirect("project_settings", project.slug)


@project_page_for(Role.OWNER)
def download_file(request: SignedIn, project: Project, number: int) -> FileResponse:
    """Send the file that a job has written."""
    return send_project_file(get_object_or_404(list_jobs(request.user).filter(project=project), number=number))


@project_page_for(Role.EDITOR)
def settings(request: SignedIn, project: Project) -> HttpResponse:
    """Show the settings of a project, and change them."""
    form = ProjectSettingsForm(initial={name: getattr(project, name) for name in FIELDS})
    if request.method == "POST":
        form = ProjectSettingsForm(request.POST)
        if form.is_valid():
            try:
                change_settings(project, **form.cleaned_data)
            except SettingsRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, "Saved.")
                return redirect("project_settings", project.slug)
    context = {"project": project, "form": form, "kept_days": KEPT_DAYS}
    return render(request, "classifier/project_settings_page.html", context)
