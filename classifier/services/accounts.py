"""Accounts and keys."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import Error, IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from classifier.locks import write_at_once
from classifier.models import ApiKey, Invitation
from classifier.models.api_key import LONGEST_KEY_DAYS
from classifier.prepared import PreparedObjects
from classifier.services import members
from classifier.services.audit_log import record
from classifier.services.projects import clean_name
from ml.errors import UserError

log = structlog.get_logger(__name__)

OPEN, BY_INVITATION, BY_DOMAIN = "open", "invitation", "domain"  # values of the setting POETSWEB_SIGNUP
KEY_PREFIX = "pw_"
USE_NOTED_EVERY = timedelta(minutes=1)
EVER_SINCE = datetime.min.replace(tzinfo=UTC)
_noted: dict[str, datetime] = {}  # when this process has last noted the use of a key, by its hash


class NotAllowed(UserError):
    """The message says why."""


def may_sign_up(invitation: str = "") -> bool:
    """Return whether strangers may make an account: everybody, those with an address, or with an invitation's token."""
    if settings.SIGNUP != BY_INVITATION or not invitation or "\0" in invitation:
        return settings.SIGNUP in (OPEN, BY_DOMAIN)
    unused = Invitation.objects.filter(token=invitation, taken__lt=F("places"), expires_at__gt=timezone.now())
    return unused.exists()


def sign_up(username: str, password: str, *, invitation: str = "") -> User:
    """Make an account. Raise NotAllowed where the site takes nobody, or not without an invitation or a mail.

    Where only who is invited may have one, the account has its place in the project from the start: an invitation for
    one makes one.
    """
    if settings.SIGNUP == BY_DOMAIN or not may_sign_up(invitation):
        raise NotAllowed("Sign-up is disabled on this site. Ask its administrator for an account.")
    try:
        with transaction.atomic():
            user = User.objects.create_user(username=username, password=password)
            if settings.SIGNUP == BY_INVITATION:
                members.accept(invitation, by=user)
            record("user.signed_up", username, by=user)
            return user
    except members.NotInvited as error:  # others took the last place since
        raise NotAllowed(str(error)) from None
    except IntegrityError:  # somebody took the name since the form was checked
        raise NotAllowed("This user name is already taken.") from None


def create_api_key(
    user: User, name: str, *, scope: str = ApiKey.Scope.EVERYTHING, days: int | None = None
) -> tuple[ApiKey, str]:
    """Create a key. Return its row, and the key itself, which is shown only once. Raise NotAllowed, InvalidName.

    Its 256 random bits need no slow hash.
    """
    if days is not None and not 1 <= days <= LONGEST_KEY_DAYS:
        raise NotAllowed(f"A key works for 1 to {LONGEST_KEY_DAYS} days, or until it is revoked.")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        user=user,
        name=clean_name(name, longest=100),
        scope=scope,
        prefix=key[:10],
        digest=hash_api_key(key),
        expires_at=timezone.now() + timedelta(days=days) if days is not None else None,
    )
    record("key.created", row.name, by=user, scope=row.scope)
    return row, key


def hash_api_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def revoke_api_key(key: ApiKey) -> None:
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        record("key.revoked", key.name, by=key.user)


def valid_keys(digest: str) -> QuerySet[ApiKey]:
    """Select the key with this hash, unless it is revoked or has expired, or its user is inactive.

    The database's clock is asked, because this is written once as SQL: see `classifier.prepared`.
    """
    unexpired = Q(expires_at=None) | Q(expires_at__gt=Now())
    return ApiKey.objects.filter(unexpired, digest=digest, revoked_at=None, user__is_active=True)


# Asked with every call.
KEYS = PreparedObjects(ApiKey, valid_keys, str, related="user")


def find_key(key: str) -> ApiKey | None:
    """Return the row of a valid key with its user, or None; see `valid_keys`. Whoever asks looks at its scope."""
    digest = hash_api_key(key)
    row = next(KEYS.objects(digest), None)
    if row is not None:
        note_key_use(digest)
    return row


def note_key_use(digest: str) -> None:
    """Record the use of a key, at most once a minute.

    No answer waits for this or fails with it: while others write, the use goes unrecorded.
    """
    now = timezone.now()
    if now - _noted.get(digest, EVER_SINCE) < USE_NOTED_EVERY:
        return
    _noted[digest] = now
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)  # another process may have noted it
    try:
        with write_at_once():
            free = ApiKey.objects.filter(stale, digest=digest).select_for_update(skip_locked=True)
            ApiKey.objects.filter(pk__in=free.values("pk")).update(last_used_at=now)
    except Error as error:
        log.info("key_use_not_noted", error=str(error))
