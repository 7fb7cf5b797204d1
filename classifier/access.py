"""Who may see what: every page of a project, and every call of the API about one, goes through `find_project`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django_htmx.middleware import HtmxDetails

from classifier.models import Project
from classifier.roles import Role, needed_for
from classifier.selectors import get_project
from ml.errors import Refused

View = Callable[..., HttpResponseBase]


class NotForYou(Refused):
    """A member asked for what another role is needed."""

    status = 403

    def __init__(self, project: Project, least: Role) -> None:
        has = f"You are a {project.role.label.lower()}" if project.role else "You are no member"
        super().__init__(
            f"{has} of this project, and this needs the role “{least.label.lower()}”. Its owner, "
            f"{project.owner.username}, can change that."
        )


class SignedIn(HttpRequest):
    """A request behind `login_required`: its user is one."""

    user: User
    htmx: HtmxDetails


def project_page(view: View) -> View:
    """Call view(request, project, ...) for members of the project who may; for strangers there is no such page.

    Who may is said by `classifier.roles.needed_for`, unless `project_page_for` says otherwise.
    """
    return project_page_for(None)(view)


def project_page_for(least: Role | None) -> Callable[[View], View]:
    """Return what makes a view a page of a project, for members with at least this role, whatever the method."""

    def decorate(view: View) -> View:
        @login_required
        def signed_in(request: SignedIn, slug: str, **rest: Any) -> HttpResponseBase:
            return view(request, find_project(request, slug, least), **rest)

        @wraps(view)
        def guarded(request: HttpRequest, slug: str, **rest: Any) -> HttpResponseBase:
            if wants_json(request) and not request.user.is_authenticated:  # a script cannot follow to the form
                sentence = "You are signed out. Sign in again in another tab."
                return JsonResponse({"error": sentence}, status=401)
            return signed_in(cast(SignedIn, request), slug, **rest)

        return guarded

    return decorate


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
    return request.path_info.startswith(("/api/", "/hub/")) or request.headers.get("Accept") == "application/json"


def find_project(request: SignedIn, slug: str, least: Role | None = None) -> Project:
    """Return the project, with the role of whoever asks.

    Raise Http404 where there is none of which they are a member, and NotForYou where their role does not reach `least`,
    or what the method needs.
    """
    project = get_project(request.user, slug)
    least = least or needed_for(request.method)
    if project.role is None or not project.role.reaches(least):
        raise NotForYou(project, least)
    return project
