"""People who leave the directory: their accounts are disabled, and enabled again when they come back."""

import structlog
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from classifier.models import ExternalIdentity
from classifier.services.directories import LDAP, is_set_up
from classifier.services.users import LastAdministrator, disable_user, enable_user

log = structlog.get_logger(__name__)

EVERY_SECONDS = 3600
_ASKED = "directory-asked-who-is-there"


def follow_directory() -> None:
    """Disable the accounts of people whom the directory lets in no longer, and enable them once it does.

    For the reaper; the directory is asked every hour. Whoever could come in otherwise, with a password of this site or
    by way of an identity provider, is left alone, and so is whom an administrator has let in again.
    """
    if not is_set_up() or not cache.add(_ASKED, 1, EVERY_SECONDS):
        return
    from classifier.services.directory_search import DirectorySilent, list_admitted  # which need the extra

    identities = _list_identities()
    if not identities:
        return
    try:
        admitted = list_admitted([one.subject for one in identities])
    except DirectorySilent as error:
        log.warning("directory_not_followed", error=str(error))
        return
    counted = [one.subject for one in identities if one.left_at is None and one.user.is_active]
    if len(counted) > 1 and admitted.isdisjoint(counted):
        # All at once is how a wrong setting looks, or a directory that has new ids or hides them.
        log.warning("directory_not_followed", error="It knows nobody who has an account here.")
        return
    for identity in identities:
        has_left = identity.left_at is not None
        if identity.subject in admitted and has_left:
            _let_in(identity)
        elif identity.subject not in admitted and not has_left and identity.user.is_active:
            _shut_out(identity)


def _list_identities() -> list[ExternalIdentity]:
    """List those of accounts that can only be opened with the password of the directory."""
    known = ExternalIdentity.objects.filter(issuer=LDAP, user__account__deleted_at=None).select_related("user")
    otherwise = set(ExternalIdentity.objects.exclude(issuer=LDAP).values_list("user", flat=True))
    return [one for one in known if one.user_id not in otherwise and not one.user.has_usable_password()]


def _shut_out(identity: ExternalIdentity) -> None:
    try:
        with transaction.atomic():
            disable_user(identity.user, by=None, why="the directory no longer lets them in")
            ExternalIdentity.objects.filter(pk=identity.pk).update(left_at=timezone.now())
    except LastAdministrator:
        log.warning("last_administrator_left_directory", user=identity.user_id)


@transaction.atomic
def _let_in(identity: ExternalIdentity) -> None:
    enable_user(identity.user, by=None, why="the directory lets them in again")
    ExternalIdentity.objects.filter(pk=identity.pk).update(left_at=None)
