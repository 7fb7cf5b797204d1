"""One class: its pictures, its name, and adding and deleting classes."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.browser_features import may_use_camera
from classifier.forms import NameForm
from classifier.models import Project
from classifier.sample_filters import SampleFilter
from classifier.services import projects, samples
from classifier.views.pictures import choices, grid_context
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH


@may_use_camera
@project_page
def detail(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    image_class = get_object_or_404(project.classes, pk=pk)
    context = {
        **grid_context(project, SampleFilter(class_id=image_class.pk)),
        **choices(project),
        "class": image_class,
        "count": selectors.class_counts(project).get(image_class.pk, 0),
        "trashed": image_class.samples.filter(deleted_at__isnull=False).exists(),
        "form": NameForm(initial={"name": image_class.name}, longest=MAX_CLASS_NAME_LENGTH, label="Class name"),
    }
    return render(request, "classifier/class_page.html", context)


@project_page
@require_POST
def create(request: SignedIn, project: Project) -> HttpResponse:
    form = NameForm(request.POST, longest=MAX_CLASS_NAME_LENGTH)
    if not form.is_valid():
        messages.error(request, str(form.errors["name"][0]))
        return redirect(project)
    return redirect(projects.get_or_create_class(project, form.cleaned_data["name"]))


@project_page
@require_POST
def rename(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    image_class = get_object_or_404(project.classes, pk=pk)
    try:
        projects.rename_class(image_class, request.POST.get("name", ""))
        messages.success(request, "The class has been renamed. Its predictions use the new name too.")
    except projects.InvalidName as error:
        messages.error(request, str(error))
    return redirect("class", project.slug, pk)


@project_page
@require_POST
def delete(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    try:
        projects.delete_class(get_object_or_404(project.classes, pk=pk))
    except projects.InvalidName as error:
        messages.error(request, str(error))
        return redirect("class", project.slug, pk)
    messages.success(request, "The class has been deleted.")
    return redirect(project)


@project_page
@require_POST
def purge(request: SignedIn, project: Project) -> HttpResponse:
    count = samples.purge_samples(project)
    messages.success(request, f"{count} picture{'' if count == 1 else 's'} deleted permanently.")
    return redirect(project)
