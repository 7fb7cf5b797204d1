"""People see where they are signed in, and end it."""

from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import UserSession
from classifier.services import sessions
from classifier.services.sessions import delete_expired_sessions, name_browser
from tests.unit.classifier.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
EDGE = f"{CHROME} Edg/140.0.0.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1"


def sign_in(user: User, browser: str = FIREFOX, address: str = "192.0.2.1") -> Client:
    client = Client(headers={"User-Agent": browser}, REMOTE_ADDR=address)
    client.force_login(user)
    client.get(reverse("account"))
    return client


def is_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def test_sessions_are_listed_with_browser_and_address(owner: User, stranger: User) -> None:
    here = sign_in(owner)
    sign_in(owner, CHROME, "192.0.2.2")
    sign_in(stranger, PHONE, "192.0.2.3")
    page = here.get(reverse("account")).content.decode()
    for shown in ("Firefox on Linux", "Chrome on Windows", "192.0.2.2", ">here<"):
        assert shown in page
    assert "192.0.2.3" not in page


def test_one_session_is_ended(owner: User) -> None:
    here, there = sign_in(owner), sign_in(owner, CHROME)
    other = UserSession.objects.get(browser=CHROME)
    assert here.post(reverse("session_end", args=[other.pk])).status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)


def test_all_others_are_ended(owner: User, stranger: User) -> None:
    here, there, elsewhere, theirs = sign_in(owner), sign_in(owner), sign_in(owner), sign_in(stranger)
    here.post(reverse("sessions_end"))
    assert [is_in(one) for one in (here, there, elsewhere, theirs)] == [True, False, False, True]


@pytest.fixture
def _busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody else write whenever a session is to be noted."""
    monkeypatch.setattr(sessions, "write_at_once", Mock(side_effect=OperationalError("database is locked")))


@pytest.mark.usefixtures("_busy")
def test_sessions_that_could_not_be_noted_are_ended_too(owner: User, stranger: User) -> None:
    here, there, theirs = sign_in(owner), sign_in(owner), sign_in(stranger)
    here.post(reverse("sessions_end"))
    assert [is_in(one) for one in (here, there, theirs)] == [True, False, True]


def test_session_that_could_not_be_noted_is_noted_soon(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as busy:
        busy.setattr(sessions, "write_at_once", Mock(side_effect=OperationalError("database is locked")))
        here = sign_in(owner)
    assert not UserSession.objects.exists()
    now = timezone.now() + sessions.TRIED_AGAIN
    monkeypatch.setattr(sessions.timezone, "now", lambda: now)
    here.get(reverse("account"))
    assert UserSession.objects.count() == 1


def test_stranger_ends_nobody_elses_session(owner: User, stranger: User) -> None:
    here, theirs = sign_in(owner), sign_in(stranger)
    session = UserSession.objects.get(user=owner)
    assert theirs.post(reverse("session_end", args=[session.pk])).status_code == 404
    assert is_in(here)


def test_new_password_ends_the_others(owner: User) -> None:
    here, there = sign_in(owner), sign_in(owner)
    values = {"old_password": PASSWORD, "new_password1": "new-horse-11", "new_password2": "new-horse-11"}
    here.post(reverse("change_password"), values)
    assert (is_in(here), is_in(there)) == (True, False)


def test_session_that_is_signed_out_is_listed_no_longer(owner: User) -> None:
    sign_in(owner).post(reverse("sign_out"))
    assert not UserSession.objects.exists()


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (EDGE, "Edge on Windows"),
        (PHONE, "Safari on iPhone"),
        ("curl/8.5.0", "curl"),
        ("", "not known"),
    ],
)
def test_browsers_are_called_what_people_call_them(user_agent: str, name: str) -> None:
    assert name_browser(user_agent) == name


def test_sessions_that_are_over_are_deleted_and_no_others(owner: User, as_owner: Client) -> None:
    as_owner.get(reverse("account"))
    client = Client()
    client.force_login(owner)
    client.get(reverse("account"))
    over = client.session.session_key
    Session.objects.filter(pk=over).update(expire_date=timezone.now())
    delete_expired_sessions()
    (left,) = Session.objects.all()
    assert left.pk == as_owner.session.session_key
    assert UserSession.objects.get().session_id == left.pk
