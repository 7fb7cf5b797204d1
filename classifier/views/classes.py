"""One class: its pictures and its name; adding classes."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.browser_features import may_use_camera
from classifier.forms import NameForm
from classifier.models import ImageClass, Project
from classifier.sample_filters import SampleFilter
from classifier.services import classes, projects
from classifier.views.acts import tell
from classifier.views.class_settings import find_class
from classifier.views.pictures import choices, grid_context
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH
from ml.errors import UserError


@may_use_camera
@project_page
def detail(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    image_class = find_class(project, pk)
    context = {
        **grid_context(project, SampleFilter(class_id=image_class.pk)),
        **choices(project),
        "class": image_class,
        "count": selectors.class_counts(project).get(image_class.pk, 0),
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
    image_class = projects.get_or_create_class(project, form.cleaned_data["name"])
    warn_of_near_names(request, image_class)
    return redirect(image_class)


@project_page
@require_POST
def rename(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    image_class = find_class(project, pk)
    try:
        tell(request, classes.rename_class(image_class, request.POST.get("name", ""), by=request.user))
        warn_of_near_names(request, find_class(project, pk))
    except UserError as error:
        messages.error(request, str(error))
    return redirect("class", project.slug, pk)


def warn_of_near_names(request: SignedIn, image_class: ImageClass) -> None:
    """Say if another class is called nearly the same."""
    if near := classes.list_near_names(image_class):
        names = ", ".join(f"“{other.name}”" for other in near[:3])
        sentence = f"There is also {names}. If both mean the same, merge them in the settings of the class."
        messages.warning(request, sentence)
