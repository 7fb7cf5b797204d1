"""Who may see what: every page of a project, and every call of the API about one, goes through `find_project`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django_htmx.middleware import HtmxDetails

from classifier.models import Project
from classifier.selectors import list_projects

View = Callable[..., HttpResponseBase]


class SignedIn(HttpRequest):
    """A request behind `login_required`: its user is one."""

    user: User
    htmx: HtmxDetails


def project_page(view: View) -> View:
    """Call view(request, project, ...) for those who may see the project; for anybody else there is no such page."""

    @login_required
    def signed_in(request: SignedIn, slug: str, **rest: Any) -> HttpResponseBase:
        return view(request, find_project(request, slug), **rest)

    @wraps(view)
    def guarded(request: HttpRequest, slug: str, **rest: Any) -> HttpResponseBase:
        if wants_json(request) and not request.user.is_authenticated:  # a script cannot follow to the form
            sentence = "You are signed out. Sign in again in another tab."
            return JsonResponse({"error": sentence}, status=401)
        return signed_in(cast(SignedIn, request), slug, **rest)

    return guarded


def administrator_page(view: View) -> View:
    """Call view(request, ...) for administrators; for anybody else there is no such page."""

    @login_required
    @wraps(view)
    def guarded(request: SignedIn, **rest: Any) -> HttpResponseBase:
        check_administrator(request)
        return view(request, **rest)

    return guarded


def check_administrator(request: SignedIn) -> None:
    """Raise Http404 unless the user is an administrator."""
    if not request.user.is_superuser:
        raise Http404


def wants_json(request: HttpRequest) -> bool:
    """Return whether a program asks, or a script of a page that cannot show another page."""
    return request.path.startswith(("/api/", "/hub/")) or request.headers.get("Accept") == "application/json"


def find_project(request: SignedIn, slug: str) -> Project:
    """Return the project; raise Http404 where there is none, or none that the user may see."""
    return get_object_or_404(list_projects(request.user), slug=slug)
