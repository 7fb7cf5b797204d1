"""Accounts and keys."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from classifier.models import ApiKey
from classifier.services.projects import clean_name
from ml.errors import UserError

KEY_PREFIX = "pw_"
FIRST_VISIT_LOCK = 4_202_611  # any number that nothing else locks
USE_NOTED_EVERY = timedelta(minutes=1)
EVER_SINCE = datetime.min.replace(tzinfo=UTC)
_noted: dict[str, datetime] = {}  # when this process has last noted the use of a key, by its hash


class NotAllowed(UserError):
    """The message says why."""


def site_is_empty() -> bool:
    """Return whether there is no account yet, so that the next visitor creates the administrator."""
    return not User.objects.exists()


def create_administrator(username: str, password: str) -> User:
    """Create the first account. Raise NotAllowed if there is one; of two visitors at once, only one succeeds."""
    with transaction.atomic():
        _one_at_a_time()
        if not site_is_empty():
            raise NotAllowed("This site already has an administrator. Please sign in.")
        return User.objects.create_superuser(username=username, password=password)


def _one_at_a_time() -> None:
    """Lock out others until the transaction ends. On SQLite its BEGIN IMMEDIATE has done this already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_VISIT_LOCK])


def sign_up(username: str, password: str) -> User:
    if not settings.SIGNUP_OPEN:
        raise NotAllowed("Sign-up is disabled on this site. Ask its administrator for an account.")
    try:
        with transaction.atomic():
            return User.objects.create_user(username=username, password=password)
    except IntegrityError:  # somebody took the name since the form was checked
        raise NotAllowed("This user name is already taken.") from None


def create_api_key(user: User, name: str) -> tuple[ApiKey, str]:
    """Create a key. Return its row, and the key itself, which is shown only once.

    Its 256 random bits need no slow hash.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        user=user, name=clean_name(name, longest=100), prefix=key[:10], digest=hash_api_key(key)
    )
    return row, key


def hash_api_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def revoke_api_key(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def owner_of_key(digest: str) -> QuerySet[ApiKey, int]:
    """Return the id of the user whose key has this hash, as one row; none for revoked keys and inactive users."""
    return ApiKey.objects.filter(digest=digest, revoked_at=None, user__is_active=True).values_list("user", flat=True)


def find_key_owner(key: str) -> User | None:
    """Return the user whose key this is, or None; see `owner_of_key`."""
    digest = hash_api_key(key)
    user = User.objects.filter(pk__in=owner_of_key(digest)).first()
    if user is not None:
        note_key_use(digest)
    return user


def note_key_use(digest: str) -> None:
    """Record the use of a key, at most once a minute: not every request must wait for the disk."""
    now = timezone.now()
    if now - _noted.get(digest, EVER_SINCE) < USE_NOTED_EVERY:
        return
    _noted[digest] = now
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)  # another process may have noted it
    ApiKey.objects.filter(stale, digest=digest).update(last_used_at=now)
