"""Which settings all machines of a site have to share: workers send mails, count quotas and empty the trash."""

import hashlib

from django.conf import settings

from poetsweb.env import ENVIRONMENT

SHARED = (
    *("SECRET_KEY", "SITE_URL", "MAIL_URL", "MAIL_FROM", "POETSWEB_BACKBONE"),
    *("TRASH_DAYS", "AUDIT_DAYS", "EMBEDDINGS_IN_DATABASE"),
    *("QUOTA_USER_PICTURES", "QUOTA_USER_GB", "QUOTA_USER_JOBS", "QUOTA_USER_REQUESTS"),
    *("QUOTA_PROJECT_PICTURES", "QUOTA_PROJECT_GB"),
    *("MAX_IMAGE_MB", "MAX_IMAGE_MEGAPIXELS", "MAX_ARCHIVE_ENTRIES", "MAX_ARCHIVE_GB"),
    *("LDAP_URL", "LDAP_SEARCH", "LDAP_FILTER", "LDAP_REQUIRE_GROUP"),
)
_COMPUTED = ("SECRET_KEY", "SITE_URL")  # where they are not given
_DIGITS = 6  # enough to tell two values apart, and too few to tell what a password is


def digest_settings() -> dict[str, str]:
    """Return some digits of a hash of each, so that processes can compare theirs and tell none of them."""
    return {name: _digest(name) for name in SHARED}


def _digest(name: str) -> str:
    value = getattr(settings, name) if name in _COMPUTED else getattr(ENVIRONMENT, name)
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:_DIGITS]
