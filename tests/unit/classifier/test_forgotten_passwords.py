"""A link to set a new password goes to whoever has the address, and nobody learns who that is."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from classifier.jobs.kinds import NOTIFY
from classifier.models import AuditEntry, Job, MailRequest
from classifier.services import mail_requests, mails
from tests.unit.classifier.conftest import PASSWORD
from worker.run import run_job

ADDRESS, NEW = "owner@example.org", "another-horse-10"


@pytest.fixture(autouse=True)
def _mail(settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True


@pytest.fixture
def owner(owner: User) -> User:
    User.objects.filter(pk=owner.pk).update(email=ADDRESS)
    owner.refresh_from_db()
    return owner


def ask(address: str = ADDRESS, client: Client | None = None, **more: Any) -> Any:
    return (client or Client()).post(reverse("forgot_password"), {"email": address}, follow=True, **more)


def work() -> None:
    """Let a worker send what is queued."""
    for pk in Job.objects.filter(kind=NOTIFY.name, status="QUEUED").values_list("pk", flat=True):
        run_job(pk)


def mailed_link() -> str:
    found = re.search(r"http://[^/]+(/set-password/\S+)", mail.outbox[-1].body)
    assert found
    return found[1]


def set_password(link: str, client: Client | None = None) -> Any:
    client = client or Client()
    form = client.get(link, follow=True)
    return client.post(form.request["PATH_INFO"], {"new_password1": NEW, "new_password2": NEW}, follow=True)


def test_password_is_set_with_a_mailed_link_and_all_sessions_end(owner: User, as_owner: Client) -> None:
    as_owner.get(reverse("account"))
    assert "a mail with a link is on its way" in ask().content.decode()
    assert mail.outbox == []  # the visitor does not wait for the mail
    work()
    (sent,) = mail.outbox
    assert sent.to == [ADDRESS]
    page = set_password(mailed_link())
    assert "Your password has been set. Sign in with it." in page.content.decode()
    assert Client().login(username="owner", password=NEW)
    assert as_owner.get(reverse("account")).status_code == 302
    assert not owner.sessions.exists()
    assert "has been used, or has expired" in Client().get(mailed_link(), follow=True).content.decode()


def test_password_is_set_in_a_browser_that_is_signed_in(owner: User, as_owner: Client) -> None:
    as_owner.get(reverse("account"))
    ask()
    work()
    assert "Your password has been set" in set_password(mailed_link(), as_owner).content.decode()
    assert as_owner.get(reverse("account")).status_code == 302


def test_answer_is_the_same_for_an_address_that_nobody_has(owner: User) -> None:
    pages = []
    for address in (ADDRESS, "nobody@example.org"):
        page = ask(address)
        pages.append((page.status_code, page.redirect_chain, page.content.decode().replace(address, "")))
        Job.objects.all().delete()
    assert pages[0][:2] == pages[1][:2]
    tokens = re.compile(r'[\w]{64}|value="[^"]*"')
    assert tokens.sub("", pages[0][2]) == tokens.sub("", pages[1][2])


def test_same_is_done_for_an_address_that_nobody_has(owner: User, client: Client) -> None:
    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            client.post(reverse("forgot_password"), {"email": address})
        Job.objects.all().delete()
        return len(asked)

    count("warm@example.org")
    assert count(ADDRESS) == count("nobody@example.org")


def test_address_that_nobody_has_gets_no_mail(owner: User) -> None:
    ask("nobody@example.org")
    work()
    assert mail.outbox == []
    assert not MailRequest.objects.exclude(next_try_at=None).exists()


@pytest.mark.parametrize("typed", ["OWNER@Example.ORG", "  owner@example.org "])
def test_mail_goes_to_the_address_of_the_account_however_it_is_typed(typed: str, owner: User) -> None:
    ask(typed)
    work()
    assert [sent.to for sent in mail.outbox] == [[ADDRESS]]


def test_account_that_is_closed_or_has_no_password_gets_no_mail(owner: User, stranger: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    stranger.set_unusable_password()
    stranger.email = ADDRESS
    stranger.save()
    ask()
    work()
    assert mail.outbox == []


def test_few_mails_go_to_one_address_and_the_answer_stays_the_same(owner: User) -> None:
    for number in range(mail_requests.MOST_TO_ADDRESS + 2):
        page = ask(REMOTE_ADDR=f"192.0.2.{number}")
        assert "a mail with a link is on its way" in page.content.decode()
        work()
    assert len(mail.outbox) == mail_requests.MOST_TO_ADDRESS
    MailRequest.objects.update(created_at=timezone.now() - timedelta(hours=2))
    ask()
    work()
    assert len(mail.outbox) == mail_requests.MOST_TO_ADDRESS + 1


def test_one_place_asks_for_so_many_mails(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_requests, "MOST_FROM_ADDRESS", 2)
    for number in range(2):
        ask(f"{number}@example.org")
    page = ask()
    assert page.status_code == 429
    assert "Too many mails were asked for" in page.content.decode()
    assert "a mail with a link is on its way" in ask(REMOTE_ADDR="192.0.2.9").content.decode()


def test_what_is_no_address_is_said_beside_the_field(owner: User) -> None:
    page = ask("owner")
    assert page.status_code == 422
    assert 'id="id_email_error"' in page.content.decode()


def test_without_mail_the_page_names_the_administrator(owner: User, settings: Any, client: Client) -> None:
    settings.MAIL_IS_SET_UP = False
    page = client.get(reverse("forgot_password")).content.decode()
    assert "Ask an administrator" in page
    assert "<form method" not in page.split("<main")[1]
    assert ask().status_code == 503
    assert not MailRequest.objects.exists()


def test_sign_in_page_leads_there(owner: User, client: Client) -> None:
    assert reverse("forgot_password") in client.get(reverse("sign_in")).content.decode()


def test_mail_that_fails_is_sent_again_and_then_given_up(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no route")

    with monkeypatch.context() as away:
        away.setattr(mails, "send_mail", fail)
        ask()
        for tries in range(1, len(mail_requests.RETRY_MINUTES) + 2):
            work()
            assert MailRequest.objects.get().tries == tries
            MailRequest.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())
            mail_requests.look_after_requests()
    work()
    assert mail.outbox == []
    assert MailRequest.objects.get().next_try_at is None


def test_requests_are_forgotten_after_a_day(owner: User) -> None:
    ask()
    MailRequest.objects.update(created_at=timezone.now() - timedelta(days=2), next_try_at=None)
    mail_requests.look_after_requests()
    assert not MailRequest.objects.exists()


def test_log_tells_of_it_and_holds_no_link(owner: User) -> None:
    ask(REMOTE_ADDR="192.0.2.7")
    work()
    token = mailed_link().split("/")[-1]
    set_password(mailed_link())
    entry = AuditEntry.objects.get(action="password.mailed")
    assert (entry.about, entry.details) == ("owner", {"asked_from": "192.0.2.7"})
    assert AuditEntry.objects.get(action="password.set").user == owner
    assert not any(token in str(vars(one)) for one in AuditEntry.objects.all())
    assert Client().login(username="owner", password=PASSWORD) is False
