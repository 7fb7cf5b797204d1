"""Links with which people without an account ask a project's live version: for a classroom, or to show it."""

import secrets
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from classifier.models import Project, ShareLink
from classifier.services.audit_log import record
from classifier.services.counting import count, in_cache
from ml.errors import Conflict, Refused, UserError

log = structlog.get_logger(__name__)

MOST_LINKS = 20  # of a project
MOST_DAYS = 365
MOST_PER_HOUR = 100_000
HOUR = 3600


class BadLink(Refused):
    """The message says what a link may be."""


class NoSuchLink(UserError):
    """There is no such link, or it works no longer."""

    status = 404

    def __init__(self) -> None:
        super().__init__("This link does not work any more. Ask whoever gave it to you for a new one.")


class TooManyAsked(UserError):
    """The pictures of this hour are used up."""

    status = 429

    def __init__(self) -> None:
        super().__init__("So many pictures were sent with this link that it has to rest. Try again in an hour.")


class TooManyLinks(Conflict):
    """The project has as many links as are allowed."""

    def __init__(self) -> None:
        super().__init__(f"A project has at most {MOST_LINKS} links at a time. Revoke one first.")


def create_link(
    project: Project, *, by: User, kind: str = ShareLink.Kind.CLASSIFY, days: int = 30, per_hour: int = 1000
) -> ShareLink:
    """Make a link that works for some days and so many pictures an hour. Raise BadLink, TooManyLinks."""
    if not 1 <= days <= MOST_DAYS or not 1 <= per_hour <= MOST_PER_HOUR:
        raise BadLink(f"A link works for 1 to {MOST_DAYS} days, and for 1 to {MOST_PER_HOUR:,} pictures an hour.")
    if list_links(project).count() >= MOST_LINKS:
        raise TooManyLinks
    until = timezone.now() + timedelta(days=days)
    token = secrets.token_urlsafe(16)
    given = {"kind": kind, "token": token, "per_hour": per_hour, "expires_at": until, "created_by": by}
    link = ShareLink.objects.create(project=project, **given)
    record("share_link.created", project, by=by, kind=kind, days=days, per_hour=per_hour)
    return link


def list_links(project: Project) -> QuerySet[ShareLink]:
    """List the links that still work."""
    return project.share_links.filter(revoked_at=None, expires_at__gt=timezone.now())


def link_address(link: ShareLink) -> str:
    """Return what is given to people."""
    return settings.SITE_ORIGIN + reverse("shared", args=[link.token])


def find_link(token: str, *, kind: str = "") -> ShareLink:
    """Return a link that works, with its project; with a kind, only one of it. Raise NoSuchLink."""
    working = ShareLink.objects.filter(token=token, revoked_at=None, expires_at__gt=timezone.now())
    found = working.filter(project__deleted_at=None).select_related("project").first()
    if found is None or (kind and found.kind != kind):
        raise NoSuchLink
    return found


def link_works(token: str) -> bool:
    """Return whether there is a link with this token that works."""
    try:
        return bool(find_link(token))
    except NoSuchLink:
        return False


def revoke_link(link: ShareLink) -> None:
    """Let a link work no longer."""
    if ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=timezone.now()):
        record("share_link.revoked", link.project)
    log.info("share_link_revoked", project=link.project_id)


def count_pictures(link: ShareLink, pictures: int) -> None:
    """Count pictures that are asked about within this hour. Raise TooManyAsked before they are looked at.

    A lesson goes on while Redis is away: each web process then counts for itself.
    """
    key = f"shared:{link.pk}:{int(timezone.now().timestamp()) // HOUR}"
    if in_cache(lambda counts: count(counts, key, seconds=HOUR, by=pictures)) > link.per_hour:
        raise TooManyAsked
