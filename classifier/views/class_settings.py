"""The settings of a class: its name and part in trainings, its place in the list, merging and removing it."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page, project_page_for
from classifier.class_forms import ClassForm
from classifier.models import Change, ImageClass, Project
from classifier.parsing import parse_number
from classifier.roles import Role
from classifier.services import classes
from classifier.views.acts import tell
from ml.errors import UserError


def find_class(project: Project, pk: int) -> ImageClass:
    """Return a class that is there; raise Http404 for others, and for those that were deleted or merged."""
    found: ImageClass = get_object_or_404(selectors.list_classes(project), pk=pk)
    return found


@project_page_for(Role.EDITOR)
def settings(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Show and change what a class is called and how it takes part."""
    image_class = find_class(project, pk)
    form = ClassForm(request.POST) if request.method == "POST" else ClassForm.of(image_class)
    if request.method == "POST" and form.is_valid():
        try:
            done = classes.edit_class(image_class, by=request.user, **form.wanted())
        except UserError as error:
            form.add_error("name", str(error))
        else:
            tell(request, done)
            return redirect("class_settings", project.slug, pk)
    return render(request, "classifier/class_settings_page.html", _context(project, image_class, form))


def _context(project: Project, image_class: ImageClass, form: ClassForm) -> dict[str, object]:
    listed, counts = list(selectors.list_classes(project)), selectors.class_counts(project)
    near = classes.list_near_names(image_class)
    return {
        "project": project,
        "class": image_class,
        "form": form,
        "checks": [form[name] for name in ("in_training", "is_negative", "has_own_colour")],
        "place": listed.index(image_class) + 1,
        "places": len(listed),
        "others": [row for row in listed if row != image_class],
        "near": [_offer_to_merge(image_class, other, counts) for other in near],
        "count": counts.get(image_class.pk, 0),
    }


def _offer_to_merge(image_class: ImageClass, other: ImageClass, counts: dict[int, int]) -> dict[str, ImageClass]:
    """Return which of two classes would stay: the one with more pictures."""
    gone, stays = sorted((image_class, other), key=lambda row: counts.get(row.pk, 0))
    return {"other": other, "gone": gone, "stays": stays}


def _do(
    request: SignedIn,
    project: Project,
    act: Callable[[], Change],
    *,
    pk: int,
    leads_to: ImageClass | Project | None = None,
) -> HttpResponse:
    """Do something with a class, tell of it, and go on where that leads to, or at the settings of the class."""
    try:
        done = act()
    except UserError as error:
        messages.error(request, str(error))
        return redirect("class_settings", project.slug, pk)
    tell(request, done)
    return redirect(leads_to) if leads_to else redirect("class_settings", project.slug, pk)


@project_page
@require_POST
def place(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Put a class at another place of the list."""
    image_class, wanted = find_class(project, pk), parse_number(request.POST.get("place"))
    if wanted is None:
        messages.error(request, "The place is a number, such as 1 for the first.")
        return redirect("class_settings", project.slug, pk)
    return _do(request, project, lambda: classes.place_class(image_class, wanted, by=request.user), pk=pk)


@project_page
@require_POST
def merge(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Move all pictures of a class into another one."""
    image_class = find_class(project, pk)
    into = find_class(project, parse_number(request.POST.get("into")) or 0)
    return _do(
        request,
        project,
        lambda: classes.merge_class(image_class, into=into, by=request.user),
        pk=pk,
        leads_to=into,
    )


@project_page
@require_POST
def delete(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Move a class to the trash, with its pictures if the form says so."""
    image_class, with_pictures = find_class(project, pk), bool(request.POST.get("with_pictures"))
    return _do(
        request,
        project,
        lambda: classes.delete_class(image_class, by=request.user, with_pictures=with_pictures),
        pk=pk,
        leads_to=project,
    )


@project_page
@require_POST
def add_negative(request: SignedIn, project: Project) -> HttpResponse:
    """Make a class for pictures that show none of the others."""
    return redirect(classes.add_negative_class(project, by=request.user))
