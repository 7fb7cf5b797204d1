"""Accounts of people who sign in with the password of a directory. What asks it is `classifier.directory`."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from classifier.services.identities import LONGEST_SUBJECT, Person, find_user, make_user
from poetsweb.identity_providers import ENTRY_IDS, ENTRY_NAMES

LDAP = "ldap"  # the issuer of all its identities
SERVER_AWAY = "directory_is_away"  # an attribute of a request
AWAY = "The directory of your organisation cannot be reached. Accounts with a password of this site can sign in."


def is_set_up() -> bool:
    """Return whether people can sign in with the password of a directory."""
    return bool(settings.LDAP_URL)


def is_local(username: str) -> bool:
    """Return whether an account of this site has this name, which the directory does not vouch for.

    So it is with a name that cannot be one.
    """
    if "\0" in username:
        return True
    named = User.objects.filter(username__iexact=username.strip())
    return named.exclude(identities__issuer=LDAP).exists()


def is_of_directory(user: User) -> bool:
    """Return whether the password of an account is in the directory."""
    return is_set_up() and user.identities.filter(issuer=LDAP).exists()


def is_password_of_directory(user: User, password: str) -> bool:
    """Return whether it is the password that the directory has for an account."""
    names = user.identities.filter(issuer=LDAP).values_list("name", flat=True) if is_set_up() else ()
    found = (authenticate(None, username=name, password=password) for name in names)
    return any(one is not None and one.pk == user.pk for one in found)


def was_away(request: HttpRequest) -> bool:
    """Return whether the directory could not be asked while this request was answered."""
    return bool(getattr(request, SERVER_AWAY, False))


def find_account(person: Person) -> User:
    """Return the account of somebody in the directory, made now if there is none."""
    return find_user(person) or make_user(person)


def read_person(typed: str, dn: str, attributes: Mapping[str, list[Any]]) -> Person:
    """Return whom an entry is about. Some directories have no id in it; there it is the place of the entry."""
    found = [attributes[name][0] for name in ENTRY_IDS if attributes.get(name)]
    subject = _shorten(_as_text(found[0]) if found else dn.lower())
    names = [str(attributes[name][0]) for name in ENTRY_NAMES if attributes.get(name)]
    mails = [str(value) for value in attributes.get("mail") or ()]
    return Person(LDAP, subject, (names or [typed])[0], (mails or [""])[0])


def _shorten(subject: str) -> str:
    """Return an id that fits into the table: two long ones with the same beginning are two people."""
    return subject if len(subject) <= LONGEST_SUBJECT else f"sha256:{hashlib.sha256(subject.encode()).hexdigest()}"


def _as_text(value: Any) -> str:
    """Return an id as text; that of Active Directory is bytes, which may be readable by chance."""
    return value.hex() if isinstance(value, bytes) else str(value)
