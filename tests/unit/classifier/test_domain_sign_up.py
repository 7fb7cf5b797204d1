"""Whoever gets mail at a domain of the site makes an account, and nobody else does."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.jobs.kinds import NOTIFY
from classifier.models import AuditEntry, Job, Project, SignUp
from classifier.roles import Role
from classifier.services import accounts, domain_sign_up, mail_requests, members
from tests.unit.classifier.conftest import PASSWORD
from worker.run import run_job

EMAIL = "ada@school.org"
ACCOUNT = {"username": "ada", "email": EMAIL, "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture(autouse=True)
def _by_domain(settings: Any, owner: User) -> None:
    settings.SIGNUP, settings.SIGNUP_DOMAINS = "domain", ["school.org", "xn--bcher-kva.example"]
    settings.MAIL_IS_SET_UP = True


def sign_up(client: Client | None = None, query: str = "", **changes: str) -> Any:
    return (client or Client()).post(reverse("sign_up") + query, {**ACCOUNT, **changes}, follow=True)


def work() -> None:
    for pk in Job.objects.filter(kind=NOTIFY.name, status="QUEUED").values_list("pk", flat=True):
        run_job(pk)


def mailed_link() -> str:
    found = re.search(r"http://[^/]+(/sign-up/\S+)", mail.outbox[-1].body)
    assert found
    return found[1]


def finish(link: str, password: str = PASSWORD, client: Client | None = None) -> Any:
    return (client or Client()).post(link, {"password": password})


def test_account_is_made_with_the_link_and_the_password(client: Client) -> None:
    page = sign_up(client)
    assert f"A mail has been sent to {EMAIL}" in page.content.decode()
    assert not User.objects.filter(username="ada").exists()
    work()
    assert mail.outbox[0].to == [EMAIL]
    assert EMAIL in client.get(mailed_link()).content.decode()
    assert not User.objects.filter(username="ada").exists()  # whoever looks at links in mails makes no account
    assert finish(mailed_link(), client=client)["Location"] == reverse("project_list")
    user = User.objects.get(username="ada")
    assert (user.email, user.is_superuser, user.is_active) == (EMAIL, False, True)
    assert client.get(reverse("account")).status_code == 200
    assert Client().login(username="ada", password=PASSWORD)
    assert client.get(mailed_link()).status_code == 404


def test_nobody_signs_in_before() -> None:
    sign_up()
    work()
    assert not Client().login(username="ada", password=PASSWORD)


def test_another_password_makes_no_account() -> None:
    sign_up()
    work()
    answer = finish(mailed_link(), "other-horse-10")
    assert answer.status_code == 422
    assert "not the password that you chose" in answer.content.decode()
    assert [finish(mailed_link(), "other-horse-10").status_code for _ in range(9)][-1] == 429
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    "email",
    [
        "ada@evil.com",
        "ada@mail.school.org",
        "ada@school.org.evil.com",
        "ada@school.org@evil.com",
        "ada@evilschool.org",
        "ada@school.org.",
        '"ada@evil.com"@school.org',
        "ada%evil.com@school.org",
    ],
)
def test_other_addresses_are_refused_beside_the_field(email: str) -> None:
    page = sign_up(email=email)
    assert page.status_code == 422
    assert 'id="id_email_error"' in page.content.decode()
    assert not SignUp.objects.exists()
    with pytest.raises(domain_sign_up.BadEmail):
        domain_sign_up.request_account("ada", PASSWORD, email=email, asked_from="")


@pytest.mark.parametrize(
    ("email", "sent"), [("Ada@SCHOOL.org", EMAIL), ("ada@bücher.example", "ada@xn--bcher-kva.example")]
)
def test_address_is_written_to_as_it_was_checked(email: str, sent: str) -> None:
    sign_up(email=email)
    work()
    assert mail.outbox[0].to == [sent]


def test_whoever_has_an_account_is_told_by_mail_alone(owner: User) -> None:
    strange = sign_up(email="eve@school.org").content.decode().replace("eve@school.org", "")
    User.objects.filter(pk=owner.pk).update(email="Ada@school.org")
    known = sign_up().content.decode().replace(EMAIL, "")
    tokens = re.compile(r'\w{64}|value="[^"]*"')
    assert tokens.sub("", strange) == tokens.sub("", known)
    work()
    assert "There is one already: “owner”" in mail.outbox[1].body
    assert "/sign-up/" not in mail.outbox[1].body


def test_address_gets_one_account() -> None:
    links = []
    for name in ("ada", "eve"):
        sign_up(username=name)
        work()
        links.append(mailed_link())
    assert finish(links[0]).status_code == 302
    assert finish(links[1]).status_code == 404
    assert not User.objects.filter(username="eve").exists()


def test_name_that_was_taken_since_is_told() -> None:
    sign_up()
    work()
    User.objects.create_user("ADA")
    answer = finish(mailed_link())
    assert "has been taken since" in answer.content.decode()
    assert User.objects.filter(username__iexact="ada").count() == 1


def test_link_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_up()
    work()
    monkeypatch.setattr(domain_sign_up, "KEPT", timedelta(seconds=-1))
    answer = finish(mailed_link())
    assert answer.status_code == 404
    assert "This link has been used, or is older than" in answer.content.decode()


@pytest.mark.parametrize("change", ["made-up", "1", "{token}x"])
def test_made_up_link_leads_nowhere(change: str, client: Client) -> None:
    sign_up()
    work()
    token = mailed_link().rsplit("/", 1)[1]
    assert client.get(reverse("sign_up_confirm", args=[change.format(token=token)])).status_code == 404


def test_link_works_no_longer_where_the_setting_has_changed(settings: Any) -> None:
    sign_up()
    work()
    settings.SIGNUP_DOMAINS = ["lab.example"]
    assert finish(mailed_link()).status_code == 422
    settings.SIGNUP = "closed"
    assert finish(mailed_link()).status_code == 404
    assert not User.objects.filter(username="ada").exists()


def test_without_the_mail_there_is_no_way_in() -> None:
    with pytest.raises(accounts.NotAllowed):
        accounts.sign_up("ada", PASSWORD)


def test_few_mails_go_to_one_address() -> None:
    for number in range(mail_requests.MOST_TO_ADDRESS + 2):
        sign_up(username=f"ada{number}")
        work()
    assert len(mail.outbox) == mail_requests.MOST_TO_ADDRESS


def test_one_place_asks_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_requests, "MOST_FROM_ADDRESS", 1)
    sign_up()
    assert sign_up(username="eve").status_code == 429
    assert SignUp.objects.count() == 1


def test_invited_person_comes_back_to_the_invitation(project: Project, client: Client) -> None:
    token = members.invite(project, Role.VIEWER, by=project.owner).token
    sign_up(query=f"?invitation={token}")
    work()
    assert finish(mailed_link(), client=client)["Location"] == reverse("invitation", args=[token])


def test_nonsense_in_place_of_an_invitation_is_no_reason_to_fail(client: Client) -> None:
    sign_up(query="?invitation=%00")
    work()
    assert finish(mailed_link(), client=client)["Location"] == reverse("project_list")


def test_what_nobody_finished_is_deleted() -> None:
    sign_up()
    SignUp.objects.update(created_at=timezone.now() - timedelta(days=2))
    domain_sign_up.delete_old_sign_ups()
    assert not SignUp.objects.exists()


def test_log_tells_of_the_account_without_the_link() -> None:
    sign_up()
    work()
    token = mailed_link().rsplit("/", 1)[1]
    finish(mailed_link())
    assert AuditEntry.objects.get(action="user.signed_up").details == {"domain": "school.org"}
    assert not any(token in str(vars(one)) for one in AuditEntry.objects.all())
