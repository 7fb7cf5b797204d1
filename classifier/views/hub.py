"""Files for `hub.load("https://…/hub/…")`: by session, by key in header or query, or by a version's public link."""

from typing import IO

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from classifier import catalogue, selectors
from classifier.access import SignedIn, project_page_for
from classifier.models import ApiKey, ModelVersion, Project
from classifier.outages import raise_outage
from classifier.roles import Role
from classifier.services import hub
from classifier.services.accounts import find_key
from classifier.services.custom_backbones import find_backbone, find_spec
from ml.backbones.spec import LITE

NOBODY = (
    "Send a valid API key that may do everything: add ?key=YOUR_KEY to the address, "
    "or the header “Authorization: Bearer YOUR_KEY”."
)


@require_safe
def version(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    if refusal := _refuse_format(request):
        return refusal
    # PostgreSQL takes no NUL.
    link, user = request.GET.get("link", "").replace("\0", ""), find_user(request)
    if user is None and not link:
        return _say(401, NOBODY)
    found = get_object_or_404(_visible(user, link, slug, name).select_related("project"))
    try:
        return _send(hub.open_version(found), f"{slug}-v{found.number}.tar.gz")
    except hub.NotMadeYet as error:
        return _say(409, str(error))
    except OSError as error:
        raise_outage(error)
        raise Http404 from None


def _visible(user: User | None, link: str, slug: str, name: str) -> QuerySet[ModelVersion]:
    allowed = Q(pk=None)
    if user is not None:
        allowed |= Q(project__in=selectors.list_projects(user))
    if link:
        allowed |= Q(public_link__token=link)
    return hub.find_versions(slug, name).filter(allowed)


@require_safe
def backbone(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    if refusal := _refuse_format(request):
        return refusal
    user = find_user(request)
    if user is None:
        return _say(401, NOBODY)
    listed = {one.name: one for one in catalogue.list_backbones(user)}.get(name)
    if listed is None or listed.hub_version != number:
        raise Http404
    spec = find_spec(name)
    if spec is not None and spec.file == LITE:
        return _say(409, "This backbone was added as a .tflite file, which cannot be converted to a SavedModel.")
    try:
        return _send(hub.open_backbone(find_backbone(name)), f"{name}-{number}.tar.gz")
    except hub.BeingMade as error:
        answer = _say(503, str(error))
        answer.headers["Retry-After"] = str(hub.RETRY_SECONDS)
        return answer


def find_user(request: HttpRequest) -> User | None:
    """Return who asks. A key that is given must be valid, whoever is signed in."""
    scheme, _, header = request.headers.get("Authorization", "").partition(" ")
    key = request.GET.get("key") or (header.strip() if scheme.lower() == "bearer" else "")
    if key:
        found = find_key(key)
        return found.user if found and found.may(ApiKey.Scope.READ) else None
    return request.user if isinstance(request.user, User) else None


def _refuse_format(request: HttpRequest) -> HttpResponse | None:
    if request.GET.get("tf-hub-format", "compressed") == "compressed":
        return None
    return _say(
        400, "This site only serves compressed files: leave TFHUB_MODEL_LOAD_FORMAT unset, or set it to COMPRESSED."
    )


def _send(file: IO[bytes], name: str) -> FileResponse:
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/x-tar")


def _say(status: int, sentence: str) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)


@project_page_for(Role.OWNER)
@require_POST
def create_link(request: SignedIn, project: Project, number: int) -> HttpResponse:
    found = get_object_or_404(project.model_versions, number=number)
    hub.create_public_link(found, by=request.user)
    return redirect(f"{found.get_absolute_url()}#hub")


@project_page_for(Role.OWNER)
@require_POST
def revoke_link(request: SignedIn, project: Project, number: int) -> HttpResponse:
    found = get_object_or_404(project.model_versions, number=number)
    hub.revoke_public_link(found)
    messages.success(request, "The public link has been revoked and no longer works.")
    return redirect(f"{found.get_absolute_url()}#hub")
