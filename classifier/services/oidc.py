"""Signing in with an identity provider that speaks OpenID Connect: the authorization code flow with PKCE.

Authlib does the protocol: state, nonce, PKCE and the checks of the ID token; `classifier.oidc_client` holds it to more.
Both need an extra, and are imported where they are used.
"""

from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from classifier.services.identities import LONGEST_SUBJECT, Person, find_user, make_user
from ml.errors import Refused, Unavailable

log = structlog.get_logger(__name__)

ALL = "all"  # a value of the setting OIDC_ACCOUNTS
LEEWAY = 60  # seconds by which clocks may differ


class ProviderAway(Unavailable):
    """Nobody can sign in with it now."""

    def __init__(self) -> None:
        super().__init__(
            f"Signing in with {settings.OIDC_NAME} is not possible at the moment, because it does not answer. "
            "A password of this site works."
        )


class NotProved(Refused):
    """What came back does not prove who somebody is."""

    def __init__(self) -> None:
        super().__init__(f"Signing in with {settings.OIDC_NAME} did not work. Please try again.")


class NoAccount(Refused):
    """The provider knows the person, and the site has no account for them."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            f"No account of this site is connected with yours at {settings.OIDC_NAME}. If you have one, sign in with "
            "its password and connect it on the page “Account”; otherwise ask an administrator."
        )


class Closed(Refused):
    """The account is disabled, or in the trash."""

    status = 403

    def __init__(self) -> None:
        super().__init__("This account is closed. Ask an administrator.")


def is_set_up() -> bool:
    """Return whether people can sign in with an identity provider."""
    return bool(settings.OIDC_ISSUER)


def begin(request: HttpRequest, callback: str) -> HttpResponse:
    """Send somebody to the provider, which sends them back to `callback`. Raise ProviderAway."""
    from classifier.oidc_client import in_time

    try:
        with in_time():
            answer: HttpResponse = _client().authorize_redirect(request, callback)
            return answer
    except Exception as error:  # whatever it is that answers there
        log.warning("oidc_provider_unusable", error=_describe(error))
        raise ProviderAway from error


def finish(request: HttpRequest) -> Person:
    """Return whom the provider vouches for in what it has sent back. Raise NotProved, ProviderAway."""
    from requests.exceptions import RequestException

    from classifier.oidc_client import in_time

    try:
        with in_time():
            token = _client().authorize_access_token(request, leeway=LEEWAY)
        return _read(token["userinfo"])
    except RequestException as error:
        log.warning("oidc_provider_away", error=_describe(error))
        raise ProviderAway from error
    except Exception as error:  # whatever was sent, it does not prove anything
        log.warning("oidc_sign_in_refused", error=_describe(error))
        raise NotProved from error


def _client() -> Any:
    from classifier.oidc_client import client_of

    return client_of(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)


def _describe(error: Exception) -> str:
    """Return what the log says: the kind of error and its first words, which hold no code and no token."""
    return f"{type(error).__name__}: {error}"[:200]


def _read(claims: dict[str, Any]) -> Person:
    """Return the person whom the checked claims are about. Raise ValueError."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise ValueError("the subject is none")
    email = claims.get("email") if claims.get("email_verified") is True else ""
    name = claims.get("preferred_username") or str(email).partition("@")[0] or claims.get("name") or "user"
    return Person(settings.OIDC_ISSUER, subject, str(name).replace("\0", "")[:150], str(email or ""))


def find_account(person: Person) -> User:
    """Return the account of a person, made now where the setting says so. Raise NoAccount, Closed."""
    user = find_user(person)
    if user is None and settings.OIDC_ACCOUNTS != ALL:
        raise NoAccount
    user = user or make_user(person)
    if not user.is_active:
        raise Closed
    return user
