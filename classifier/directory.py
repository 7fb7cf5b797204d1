"""Signing in with the password of a directory (LDAP): django-auth-ldap asks it, and this says whose account it is.

It is loaded where LDAP_URL is set, because it needs an extra.
"""

from typing import Any

import structlog
from django.contrib.auth.models import User
from django.http import HttpRequest
from django_auth_ldap.backend import LDAPBackend, ldap_error

from classifier.services.directories import SERVER_AWAY, find_account, is_local, read_person

log = structlog.get_logger(__name__)


class DirectoryBackend(LDAPBackend):  # type: ignore[misc] # has no types
    """Accounts of this site win over those of the directory: the server is not asked about their names."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """Return the user whose password it is in the directory, or None."""
        if not username or not password or is_local(username):
            return None
        return super().authenticate(request, username=username, password=password, **kwargs)

    def get_or_build_user(self, username: str, ldap_user: Any) -> tuple[User, bool]:
        """Return the account of an entry, made now if there is none; nothing about it is left to save."""
        return find_account(read_person(username, ldap_user.dn, ldap_user.attrs)), False

    def get_user(self, user_id: int) -> User | None:
        """Return a user who is signed in, unless the account has been closed."""
        found = super().get_user(user_id)
        return found if isinstance(found, User) and found.is_active else None


def _note_trouble(
    sender: type, request: HttpRequest | None = None, exception: Exception | None = None, **_: Any
) -> None:
    """Note in the request that the directory could not be asked; the log says why, without a name or password."""
    log.warning("directory_away", error=type(exception).__name__)
    if request is not None:
        setattr(request, SERVER_AWAY, True)


ldap_error.connect(_note_trouble, dispatch_uid="poetsweb")
