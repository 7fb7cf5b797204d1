"""The audit log: who has done what, when, and from where. Nothing secret is written to it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from classifier.acting import current_address, current_user
from classifier.models import AuditEntry

ROWS_AT_ONCE = 5000

# What is written down, each with its words on the page. To add one: a line here, and a call of `record`.
ACTIONS = {
    "sign_in": "signed in",
    "sign_in.failed": "failed to sign in",
    "email.changed": "changed their e-mail address",
    "password.changed": "changed their password",
    "password.mailed": "was mailed a link to set a password",
    "password.set": "set a password with a link",
    "second_factor.on": "turned a second factor on",
    "second_factor.off": "turned the second factor off",
    "second_factor.codes": "made new recovery codes",
    "second_factor.recovery": "used a recovery code",
    "second_factor.removed": "removed a second factor",
    "passkey.added": "added a passkey",
    "passkey.removed": "removed a passkey",
    "identity.connected": "connected an account from elsewhere",
    "identity.disconnected": "disconnected an account from elsewhere",
    "session.ended": "ended sessions",
    "key.created": "created an API key",
    "key.revoked": "revoked an API key",
    "webhook.added": "added a webhook",
    "webhook.removed": "removed a webhook",
    "user.signed_up": "signed up",
    "user.created": "made an account",
    "user.link": "made a link to set a password",
    "user.disabled": "disabled an account",
    "user.enabled": "enabled an account",
    "user.administrator": "made somebody an administrator",
    "user.no_administrator": "made somebody no administrator any longer",
    "user.quota": "changed a quota",
    "user.deleted": "deleted an account",
    "user.restored": "restored an account",
    "user.hastened": "had an account deleted for good at once",
    "user.purged": "deleted an account for good",
    "project.created": "created a project",
    "project.deleted": "deleted a project",
    "project.restored": "restored a project",
    "project.purged": "deleted a project for good",
    "project.exported": "wrote a project into a file, to move it",
    "project.imported": "brought in a project from a file",
    "project.handed_on": "handed a project on",
    "pictures.erased": "erased pictures for good",
    "backbone.deleted": "deleted a backbone",
    "backbone.restored": "restored a backbone",
    "backbone.purged": "deleted a backbone for good",
    "version.promoted": "made a version live",
    "version.deleted": "deleted a version",
    "version.restored": "restored a version",
    "version.purged": "deleted a version for good",
    "member.added": "added a member",
    "member.joined": "joined by an invitation",
    "member.role": "changed a member’s role",
    "member.removed": "removed a member",
    "member.left": "left a project",
    "invitation.created": "invited people",
    "invitation.revoked": "revoked an invitation",
    "share_link.created": "shared a classifier by a link",
    "share_link.revoked": "revoked a link of a classifier",
    "public_link.created": "opened a version to everybody",
    "public_link.revoked": "closed a version to the public",
    "team.created": "made a team",
    "team.deleted": "deleted a team",
    "team.added": "added somebody to a team",
    "team.removed": "removed somebody from a team",
    "banner.changed": "changed the banner",
}


def record(action: str, about: object = "", *, by: User | None = None, **details: Any) -> None:
    """Write down that somebody has done something: whoever is signed in, unless `by` tells.

    `details` are numbers and short texts, never a password, key, token or link.
    """
    if action not in ACTIONS:
        raise KeyError(action)
    who = by or current_user()
    AuditEntry.objects.create(
        user=who,
        username=who.username if who else "",
        action=action,
        about=str(about).replace("\0", "")[:300],
        address=current_address(),
        details={name: _as_detail(value) for name, value in details.items()},
    )


def _as_detail(value: Any) -> int | str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, int) else str(value)


def list_entries(
    *, who: str = "", action: str = "", since: date | None = None, until: date | None = None
) -> QuerySet[AuditEntry]:
    """List the entries, the newest first: of this user, this action, from one day to another."""
    found = AuditEntry.objects.all()
    if who:
        found = found.filter(Q(username__iexact=who) | Q(about__iexact=who))
    if action:
        found = found.filter(action=action)
    if since:
        found = found.filter(at__date__gte=since)
    if until:
        found = found.filter(at__date__lte=until)
    return found


def as_rows(entries: QuerySet[AuditEntry]) -> Iterator[list[str]]:
    """Yield a heading and the entries as the cells of a table."""
    yield ["when", "who", "action", "about", "address", "details"]
    for one in entries.iterator(chunk_size=1000):
        details = "; ".join(f"{name}: {value}" for name, value in one.details.items())
        yield [one.at.isoformat(timespec="seconds"), one.username, one.action, one.about, one.address, details]


def delete_old_entries() -> None:
    """Delete what is older than AUDIT_DAYS, in steps. For the reaper."""
    if not settings.AUDIT_DAYS:
        return
    until = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
    ids = list(AuditEntry.objects.filter(at__lt=until).order_by().values_list("pk", flat=True)[:ROWS_AT_ONCE])
    if ids:
        AuditEntry.objects.filter(pk__in=ids).delete()
