"""Accounts of people whom somebody else vouches for: an identity provider, or a directory.

An account is found by who the issuer says it is, and by nothing else: neither the same name nor the same address of an
account that is there already opens it.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from classifier.models import ExternalIdentity
from classifier.services.audit_log import record
from ml.errors import Conflict

LONGEST_SUBJECT = 255  # characters, says the standard of OpenID Connect
LONGEST_NAME = 140  # leaves room for a number


class OfSomebodyElse(Conflict):
    """The identity opens another account."""

    def __init__(self) -> None:
        super().__init__(
            "This identity belongs to another account of this site. Sign in with it, and disconnect it there."
        )


class LastWayIn(Conflict):
    """Nobody could sign in to the account any more."""

    def __init__(self) -> None:
        super().__init__(
            "You have no password here, so you could not sign in any more. Ask an administrator for one first."
        )


@dataclass(frozen=True)
class Person:
    """Whom an issuer vouches for; `name` is what the person knows, and `email` is empty unless it is verified."""

    issuer: str
    subject: str
    name: str
    email: str = ""


def find_user(person: Person) -> User | None:
    """Return whose account it is, which may be closed."""
    found = ExternalIdentity.objects.filter(issuer=person.issuer, subject=person.subject).select_related("user").first()
    return found.user if found else None


def make_user(person: Person) -> User:
    """Make an account without a password, and return it, or the one that somebody made at the same moment."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(_free_username(person.name), _clean_email(person.email))
            ExternalIdentity.objects.create(user=user, **_columns(person))
            record("user.signed_up", user.username, by=user, issuer=person.issuer)
            return user
    except IntegrityError:
        found = find_user(person)
        if found is None:
            raise
        return found


def connect(user: User, person: Person) -> None:
    """Let a person sign in to an account that there is. Raise OfSomebodyElse."""
    with transaction.atomic():
        row, is_new = ExternalIdentity.objects.get_or_create(
            issuer=person.issuer, subject=person.subject, defaults={"user": user, **_columns(person)}
        )
        if row.user_id != user.pk:
            raise OfSomebodyElse
        if is_new:
            record("identity.connected", user.username, by=user, issuer=person.issuer)


def disconnect(identity: ExternalIdentity) -> None:
    """Let an identity open its account no longer. Raise LastWayIn."""
    user = identity.user
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two at once must not be one too many
        if not user.has_usable_password() and user.identities.count() < 2:
            raise LastWayIn
        identity.delete()
        record("identity.disconnected", user.username, by=user, issuer=identity.issuer)


def _columns(person: Person) -> dict[str, Any]:
    return {"issuer": person.issuer, "subject": person.subject, "name": person.name[:150]}


def _free_username(name: str) -> str:
    """Return a user name like this one that nobody has."""
    wanted = _clean_username(name)
    taken = {
        one.lower() for one in User.objects.filter(username__istartswith=wanted).values_list("username", flat=True)
    }
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (wanted, *numbered) if one.lower() not in taken)


def _clean_username(name: str) -> str:
    kept = "".join(
        character for character in User.normalize_username(name) if character.isalnum() or character in "@.+-_"
    )
    field: Any = User._meta.get_field("username")
    try:
        return str(field.clean(kept[:LONGEST_NAME], None))
    except ValidationError:
        return "user"


def _clean_email(email: str) -> str:
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= 254 else ""
