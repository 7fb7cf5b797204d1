"""The settings of the site as they are, and its banner."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from redis.exceptions import RedisError

from classifier.models import SiteValue
from classifier.services.audit_log import record
from ml.errors import Refused
from poetsweb.described import Setting, describe_settings

BANNER = "banner"  # the name of the site's value, and of its copy in the cache
CACHED_SECONDS = 60
HELD_SECONDS = 5.0
LONGEST = 500
_held: dict[str, Any] = {"text": "", "until": 0.0}


class BadBanner(Refused):
    """The message says what a banner may be."""

    def __init__(self) -> None:
        super().__init__(f"A banner has at most {LONGEST} characters.")


def list_settings() -> list[Setting]:
    """List the settings of the site. Secrets are not among their values."""
    computed = ("WEB_WORKERS", "EMBED_WORKERS", "PREDICT_THREADS", "SITE_URL")
    effective: dict[str, Any] = {name: getattr(settings, name) for name in computed}
    effective |= {"POETSWEB_SIGNUP": settings.SIGNUP, "HSTS_SECONDS": settings.SECURE_HSTS_SECONDS}
    return describe_settings(effective | {"MAIL_FROM": settings.DEFAULT_FROM_EMAIL})


def get_banner() -> str:
    """Return what every page shows on top; "" for nothing.

    Each process keeps it for a moment: no page must wait for a cache that hangs, but the first.
    """
    now = time.monotonic()
    if now >= _held["until"]:
        _held.update(text=_ask_for_banner(), until=now + HELD_SECONDS)
    return str(_held["text"])


def _ask_for_banner() -> str:
    try:
        kept = cache.get(BANNER)
        if kept is None:
            kept = _read_banner()
            cache.set(BANNER, kept, CACHED_SECONDS)
        return str(kept)
    except RedisError:  # pages are shown without a cache, too
        return _read_banner()


def _read_banner() -> str:
    row = SiteValue.objects.filter(name=BANNER).first()
    return str(row.value) if row else ""


def set_banner(text: str, *, by: User) -> None:
    """Show a text on every page, or nothing with "". Raise BadBanner."""
    text = " ".join(text.replace("\0", "").split())
    if len(text) > LONGEST:
        raise BadBanner
    SiteValue.objects.update_or_create(name=BANNER, defaults={"value": text})
    record("banner.changed", text, by=by)
    _held["until"] = 0.0
    try:
        cache.set(BANNER, text, CACHED_SECONDS)
    except RedisError:
        return  # the copy in the cache goes within a minute
