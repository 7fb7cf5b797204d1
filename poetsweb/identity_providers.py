"""What must be set, and installed, where people sign in with accounts from elsewhere."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from poetsweb.env import Environment
from poetsweb.hosts import is_loopback


def check_oidc(env: Environment) -> None:
    """Refuse an identity provider that cannot be used. Raise ImproperlyConfigured."""
    if not env.OIDC_ISSUER:
        return
    _require_package("OIDC_ISSUER", "authlib", extra="oidc")
    if not env.OIDC_CLIENT_ID:
        raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID, which the provider has given to this site.")
    parts = urlsplit(env.OIDC_ISSUER)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ImproperlyConfigured("OIDC_ISSUER must begin with https://, because others could answer in its place.")


def _require_package(setting: str, package: str, *, extra: str) -> None:
    if find_spec(package) is None:
        raise ImproperlyConfigured(
            f"{setting} is set, and the package {package} is missing; install it with “make run EXTRAS={extra}”, "
            f"or with “pip install --no-deps --require-hashes -r requirements-{extra}.txt”."
        )
