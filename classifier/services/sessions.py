"""Where people are signed in: noted as they go, shown to them, and ended."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import Error
from django.db.models import QuerySet
from django.utils import timezone

from classifier.acting import current_address
from classifier.locks import write_at_once
from classifier.models import Account, UserSession
from classifier.services.audit_log import record

log = structlog.get_logger(__name__)

NOTED_EVERY = timedelta(minutes=5)
TRIED_AGAIN = timedelta(seconds=5)
MOST_NOTED = 10_000
EXPIRED_AT_ONCE = 500
EVER_SINCE = datetime.min.replace(tzinfo=UTC)
_noted: dict[str, datetime] = {}  # when this process has last noted a session, by its key

# What a User-Agent contains, in the order in which to look: most browsers claim to be some others, too.
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "SamsungBrowser": "Samsung Internet"}
BROWSERS |= {"Chrome": "Chrome", "CriOS": "Chrome", "FxiOS": "Firefox", "Safari": "Safari"}
SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "CrOS": "ChromeOS"}
SYSTEMS |= {"Mac OS": "macOS", "Linux": "Linux"}


def note_session(key: str, user: Any, *, browser: str) -> None:
    """Note that somebody is at it in this session, every few minutes.

    No answer waits for this or fails with it: while others write, it goes unrecorded for some seconds.
    """
    now = timezone.now()
    if not key or now - _noted.get(key, EVER_SINCE) < NOTED_EVERY:
        return
    if len(_noted) >= MOST_NOTED:
        _noted.clear()
    _noted[key] = now
    seen = {"user": user, "address": current_address(), "browser": browser.replace("\0", "")[:300], "seen_at": now}
    try:
        with write_at_once():
            if Session.objects.filter(pk=key).exists():
                UserSession.objects.update_or_create(session_id=key, defaults=seen)
                Account.objects.update_or_create(user=user, defaults={"seen_at": now})
    except Error as error:
        _noted[key] = now - NOTED_EVERY + TRIED_AGAIN
        log.info("session_not_noted", error=str(error))


def list_sessions(user: User) -> QuerySet[UserSession]:
    """List where this user is signed in, the latest first."""
    return user.sessions.filter(session__expire_date__gt=timezone.now())


def end_session(session: UserSession) -> None:
    """Sign somebody out in one place."""
    Session.objects.filter(pk=session.session_id).delete()
    record("session.ended", session.user, sessions=1)


def end_sessions(user: User, *, besides: str | None = None) -> int:
    """Sign somebody out everywhere, besides the session with this key; return how many sessions that were."""
    theirs = [*user.sessions.values_list("session_id", flat=True), *_list_unnoted(user)]
    ended = Session.objects.filter(pk__in=theirs).exclude(pk=besides)
    number = ended.count()
    ended.delete()
    if number:
        record("session.ended", user, sessions=number)
    return number


def _list_unnoted(user: User) -> list[str]:
    """Return the keys of a user's sessions that nobody could note yet, as others were writing."""
    unnoted = Session.objects.exclude(pk__in=UserSession.objects.values("session_id"))
    return [one.pk for one in unnoted.iterator() if one.get_decoded().get(SESSION_KEY) == str(user.pk)]


def delete_expired_sessions() -> None:
    """Delete the sessions that are over, in steps, with what was noted of them. For the reaper."""
    expired = Session.objects.filter(expire_date__lt=timezone.now()).values_list("pk", flat=True)[:EXPIRED_AT_ONCE]
    if keys := list(expired):
        Session.objects.filter(pk__in=keys).delete()


def name_browser(user_agent: str) -> str:
    """Return what people call the browser and the system that a User-Agent tells of."""
    browser = next((name for mark, name in BROWSERS.items() if re.search(rf"\b{mark}/", user_agent)), "")
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    if not browser:
        return user_agent.split("/")[0][:40] or "not known"
    return f"{browser} on {system}" if system else browser
