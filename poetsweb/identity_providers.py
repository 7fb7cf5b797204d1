"""What must be set, and installed, where people sign in with accounts from elsewhere."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from poetsweb.env import Environment
from poetsweb.extras import require_package
from poetsweb.hosts import is_loopback


def check_oidc(env: Environment) -> None:
    """Refuse an identity provider that cannot be used. Raise ImproperlyConfigured."""
    if not env.OIDC_ISSUER:
        return
    require_package("OIDC_ISSUER is set", "authlib", extra="oidc")
    if not env.OIDC_CLIENT_ID:
        raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID, which the provider has given to this site.")
    parts = urlsplit(env.OIDC_ISSUER)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ImproperlyConfigured("OIDC_ISSUER must begin with https://, because others could answer in its place.")


LOCAL_BACKEND = "django.contrib.auth.backends.ModelBackend"
DIRECTORY_BACKEND = "classifier.directory.DirectoryBackend"
SECONDS = 3  # for which the directory may take to connect, and to answer each question
# What entries are told apart by, and what is read of them. The first that there is counts.
ENTRY_IDS = ("entryUUID", "objectGUID", "nsUniqueId", "ipaUniqueID")
ENTRY_NAMES = ("uid", "sAMAccountName")


def read_backends(env: Environment) -> dict[str, Any]:
    """Return Django's settings of who checks passwords: the accounts of the site first, then the directory.

    Raise ImproperlyConfigured for a directory that cannot be used.
    """
    if not env.LDAP_URL:
        return {"AUTHENTICATION_BACKENDS": [LOCAL_BACKEND]}
    if not env.LDAP_SEARCH:
        raise ImproperlyConfigured(
            "LDAP_URL needs LDAP_SEARCH, below which people are looked for: ou=people,dc=school,dc=org."
        )
    if len(env.LDAP_URL.split()) > 1:  # of which the second could be without TLS
        raise ImproperlyConfigured("LDAP_URL names one directory; write one address, such as ldaps://ldap.school.org.")
    parts = urlsplit(env.LDAP_URL)
    if parts.scheme == "ldap" and not env.LDAP_START_TLS and not is_loopback(parts.hostname or ""):
        raise ImproperlyConfigured(
            "With LDAP_URL=ldap://… everybody on the way could read the passwords; write ldaps://…, or set "
            "LDAP_START_TLS=true."
        )
    require_package("LDAP_URL is set", "django_auth_ldap", extra="ldap")
    return {"AUTHENTICATION_BACKENDS": [LOCAL_BACKEND, DIRECTORY_BACKEND], **_describe_directory(env)}


def _describe_directory(env: Environment) -> dict[str, Any]:
    import ldap
    from django_auth_ldap.config import GroupOfNamesType, LDAPSearch

    attributes = [*ENTRY_IDS, *ENTRY_NAMES, "mail"]
    return {
        "AUTH_LDAP_SERVER_URI": env.LDAP_URL,
        "AUTH_LDAP_START_TLS": env.LDAP_START_TLS,
        "AUTH_LDAP_BIND_DN": env.LDAP_BIND_DN,
        "AUTH_LDAP_BIND_PASSWORD": env.LDAP_BIND_PASSWORD,
        "AUTH_LDAP_USER_SEARCH": LDAPSearch(env.LDAP_SEARCH, ldap.SCOPE_SUBTREE, env.LDAP_FILTER, attributes),
        "AUTH_LDAP_REQUIRE_GROUP": env.LDAP_REQUIRE_GROUP or None,
        "AUTH_LDAP_GROUP_TYPE": GroupOfNamesType(),
        "AUTH_LDAP_GROUP_SEARCH": LDAPSearch(env.LDAP_REQUIRE_GROUP, ldap.SCOPE_BASE),
        "AUTH_LDAP_ALWAYS_UPDATE_USER": False,
        "AUTH_LDAP_PERMIT_EMPTY_PASSWORD": False,
        "AUTH_LDAP_CONNECTION_OPTIONS": {
            ldap.OPT_NETWORK_TIMEOUT: SECONDS,
            ldap.OPT_TIMEOUT: SECONDS,
            ldap.OPT_REFERRALS: 0,  # other servers are not the one that was set
        },
    }
