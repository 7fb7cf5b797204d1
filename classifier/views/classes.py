"""One class with its pictures, the trash, and the pictures themselves."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.browser_features import may_use_camera
from classifier.forms import NameForm
from classifier.models import Project
from classifier.outages import raise_outage
from classifier.parsing import parse_number
from classifier.services import images, projects, samples
from ml.audit.kinds import KINDS
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH
from ml.datasets.splits import SPLITS
from ml.images.decoding import ImageRejected
from ml.images.formats import FORMATS

PAGE = 60
THUMBNAIL_MIME = "image/jpeg"
FOR_EVER = "private, max-age=31536000, immutable"  # the address holds the sha256


@may_use_camera
@project_page
def detail(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    image_class = get_object_or_404(project.classes, pk=pk)
    found = selectors.list_samples(project, image_class)
    page, following = selectors.page_of_samples(found, before=parse_number(request.GET.get("before")), size=PAGE)
    context = {
        "project": project,
        "class": image_class,
        "samples": page,
        "next": following,
        "count": selectors.class_counts(project).get(image_class.pk, 0),
        "others": project.classes.exclude(pk=pk).order_by("name"),
        "splits": SPLITS,
        "trashed": image_class.samples.filter(deleted_at__isnull=False).exists(),
        "form": NameForm(initial={"name": image_class.name}, longest=MAX_CLASS_NAME_LENGTH, label="Class name"),
    }
    more = request.htmx and "before" in request.GET
    template = "classifier/_samples.html" if more else "classifier/class_page.html"
    return render(request, template, context)


@project_page
def unlabelled(request: SignedIn, project: Project) -> HttpResponse:
    """Show the pictures without a class, to give them one."""
    found = selectors.list_samples(project, unlabelled=True)
    page, following = selectors.page_of_samples(found, before=parse_number(request.GET.get("before")), size=PAGE)
    context = {
        "project": project,
        "samples": page,
        "next": following,
        "count": found.count(),
        "others": project.classes.order_by("name"),
    }
    more = request.htmx and "before" in request.GET
    return render(request, "classifier/_samples.html" if more else "classifier/unlabelled_page.html", context)


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


def _chosen(request: SignedIn) -> list[int]:
    """Return the ids of the chosen samples: a field for each, or all in one, between commas, from a script."""
    texts = [*request.POST.getlist("sample"), *request.POST.get("samples", "").split(",")]
    return [number for text in texts if (number := parse_number(text)) is not None]


@project_page
@require_POST
def move(request: SignedIn, project: Project) -> HttpResponse:
    to = get_object_or_404(project.classes, pk=parse_number(request.POST.get("to")) or 0)
    moved = samples.move_samples(project, _chosen(request), to=to)
    messages.success(request, f"{_pictures(moved)} moved to “{to.name}”.")
    return redirect(_back(request, project))


@project_page
@require_POST
def split(request: SignedIn, project: Project) -> HttpResponse:
    wanted = request.POST.get("split", "")
    if wanted not in SPLITS:
        raise Http404
    changed = samples.set_split(project, _chosen(request), wanted)
    messages.success(request, f"{_pictures(changed)} put into {wanted}. The next training uses them so.")
    return redirect(_back(request, project))


@project_page
@require_POST
def group(request: SignedIn, project: Project) -> HttpResponse:
    try:
        changed = samples.set_group(project, _chosen(request), request.POST.get("group", "").strip())
        messages.success(request, f"The group of {_pictures(changed)} has been changed.")
    except projects.InvalidName as error:
        messages.error(request, str(error))
    return redirect(_back(request, project))


@project_page
@require_POST
def trash_samples(request: SignedIn, project: Project) -> HttpResponse:
    deleted = samples.delete_samples(project, _chosen(request))
    messages.success(request, f"{_pictures(deleted)} moved to the trash.")
    return redirect(_back(request, project))


@project_page
@require_POST
def restore(request: SignedIn, project: Project) -> HttpResponse:
    restored = samples.restore_samples(project, _chosen(request))
    messages.success(request, f"{_pictures(restored)} restored.")
    return redirect("trash", project.slug)


@project_page
@require_POST
def purge(request: SignedIn, project: Project) -> HttpResponse:
    messages.success(request, f"{_pictures(samples.purge_samples(project))} deleted permanently.")
    return redirect("trash", project.slug)


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _back(request: SignedIn, project: Project) -> str:
    kind = request.POST.get("finding_kind")
    if kind in KINDS:
        return reverse("check_kind", args=[project.slug, kind])
    if "from_map" in request.POST:
        return reverse("map", args=[project.slug])
    image_class = project.classes.filter(pk=parse_number(request.POST.get("from")) or 0).first()
    return (image_class or project).get_absolute_url()


@project_page
def trash(request: SignedIn, project: Project) -> HttpResponse:
    found = selectors.list_samples(project, deleted=True)
    page, following = selectors.page_of_samples(found, before=parse_number(request.GET.get("before")), size=PAGE)
    context = {"project": project, "samples": page, "next": following}
    template = "classifier/_samples.html" if request.htmx else "classifier/trash_page.html"
    return render(request, template, context)


@project_page
def thumbnail(request: SignedIn, project: Project, sha256: str, size: int) -> HttpResponseBase:
    if size not in images.THUMBNAIL_SIZES:
        raise Http404
    return _send(_read(lambda: images.read_thumbnail(selectors.get_image(project, sha256), size)), THUMBNAIL_MIME)


@project_page
def picture(request: SignedIn, project: Project, sha256: str) -> HttpResponseBase:
    image = selectors.get_image(project, sha256)
    response = _send(_read(lambda: images.read_picture(image)), FORMATS[image.format].mime)
    if image.format == "TIFF":  # browsers do not show it
        response["Content-Disposition"] = f'attachment; filename="{sha256[:12]}.tiff"'
    return response


def _read(read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except OSError as error:
        raise_outage(error)
        raise Http404 from None
    except ImageRejected:
        raise Http404 from None


def _send(data: bytes, mime: str) -> HttpResponse:
    headers = {"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(data, content_type=mime, headers=headers)
