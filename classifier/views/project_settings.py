"""What people decide for a project as a whole."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from classifier.access import SignedIn, project_page_for
from classifier.models import Project
from classifier.roles import Role
from classifier.services.project_settings import FIELDS, SettingsRefused, change_settings
from classifier.settings_forms import ProjectSettingsForm


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
    return render(request, "classifier/project_settings_page.html", {"project": project, "form": form})
