"""Accounts of people who leave the directory are disabled, and enabled when they come back; asked of a real one."""

import socket
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from classifier.models import AuditEntry, ExternalIdentity
from classifier.services import identities, leavers
from classifier.services.accounts import create_api_key
from classifier.services.identities import Person
from classifier.services.users import disable_user, enable_user
from poetsweb import identity_providers
from poetsweb.env import ENVIRONMENT
from tests import directory_server
from tests.directory_server import BASE, GROUP, PASSWORDS, PEOPLE, SERVICE, SERVICE_PASSWORD, SLAPD

pytestmark = [
    pytest.mark.skipif(find_spec("django_auth_ldap") is None, reason="the extra “ldap” is not installed"),
    pytest.mark.skipif(SLAPD is None, reason="there is no slapd (apt-get install slapd)"),
]

WITHOUT_ANNA = {"LDAP_FILTER": "(&(uid=%(user)s)(!(uid=anna)))"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with directory_server.running() as address:
        yield address


@pytest.fixture
def follow(db: None, settings: Any, address: str) -> Any:
    """Return what follows the directory, as the environment would have set it up, as if an hour had gone by."""

    def set_up(**given: str) -> None:
        usual = {"LDAP_SEARCH": PEOPLE, "LDAP_BIND_DN": SERVICE, "LDAP_BIND_PASSWORD": SERVICE_PASSWORD}
        environment = ENVIRONMENT.model_copy(update={"LDAP_URL": address, **usual, **given})
        settings.LDAP_URL = environment.LDAP_URL
        for name, value in identity_providers.read_backends(environment).items():
            setattr(settings, name, value)
        cache.delete(leavers._ASKED)
        leavers.follow_directory()

    set_up()
    return set_up


@pytest.fixture
def people(follow: Any, owner: User) -> dict[str, Client]:
    """Let two people of the directory sign in, and return their browsers."""
    browsers = {name: Client() for name in ("anna", "bert")}
    for name, browser in browsers.items():
        browser.post(reverse("sign_in"), {"username": name, "password": PASSWORDS[name]})
    return browsers


def is_active(name: str) -> bool:
    return User.objects.get(username=name).is_active


def identity_of(name: str) -> ExternalIdentity:
    return ExternalIdentity.objects.get(user__username=name)


def test_whoever_leaves_is_signed_out_and_comes_back(people: dict[str, Client], follow: Any) -> None:
    key = create_api_key(User.objects.get(username="anna"), "a program")[1]

    def ask() -> int:
        return Client().get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).status_code

    assert ask() == 200
    follow(**WITHOUT_ANNA)
    assert (is_active("anna"), is_active("bert")) == (False, True)
    assert [browser.get(reverse("account")).status_code for browser in people.values()] == [302, 200]
    assert ask() == 401
    entry = AuditEntry.objects.get(action="user.disabled")
    assert (entry.about, entry.user, entry.details["why"]) == ("anna", None, "the directory no longer lets them in")
    follow(**WITHOUT_ANNA)
    follow()
    assert (is_active("anna"), identity_of("anna").left_at, ask()) == (True, None, 200)
    assert AuditEntry.objects.filter(action__in=("user.disabled", "user.enabled")).count() == 2


def test_page_of_the_user_says_since_when(people: dict[str, Client], follow: Any, as_owner: Client) -> None:
    follow(**WITHOUT_ANNA)
    User.objects.filter(username="owner").update(is_superuser=True, is_staff=True)
    pages = {name: reverse("user", args=[User.objects.get(username=name).pk]) for name in people}
    said = {name: as_owner.get(page).content.decode() for name, page in pages.items()}
    assert "no longer admitted since" in said["anna"]
    assert "no longer admitted since" not in said["bert"]


def test_whoever_leaves_the_group_leaves(people: dict[str, Client], follow: Any) -> None:
    follow(LDAP_REQUIRE_GROUP=GROUP)
    assert (is_active("anna"), is_active("bert")) == (True, False)


def test_new_name_is_no_departure(people: dict[str, Client], follow: Any) -> None:
    ExternalIdentity.objects.filter(user__username="anna").update(name="anna-as-she-was-called")
    follow()
    assert is_active("anna")


def test_new_person_with_an_old_name_is_one(people: dict[str, Client], follow: Any) -> None:
    ExternalIdentity.objects.filter(user__username="anna").update(subject="an-id-of-long-ago")
    follow()
    assert not is_active("anna")


@pytest.mark.parametrize(
    "given",
    [
        {"LDAP_URL": "ldap://127.0.0.1:1"},
        {"LDAP_BIND_PASSWORD": "wrong"},
        {"LDAP_SEARCH": f"ou=nowhere,{BASE}"},
        {"LDAP_FILTER": "(description=%(user)s)"},
        {"LDAP_REQUIRE_GROUP": f"cn=nobody,ou=groups,{BASE}"},
        {"LDAP_REQUIRE_GROUP": PEOPLE},
    ],
    ids=["away", "wrong password", "nothing there", "shows nobody", "no such group", "not a group"],
)
def test_directory_that_does_not_tell_changes_nothing(
    people: dict[str, Client], follow: Any, given: dict[str, str]
) -> None:
    follow(**given)
    assert (is_active("anna"), is_active("bert")) == (True, True)
    assert people["anna"].get(reverse("account")).status_code == 200


def test_directory_that_hangs_is_given_up(
    people: dict[str, Client], follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_providers, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and says nothing
        begun = time.monotonic()
        follow(LDAP_URL=f"ldap://127.0.0.1:{server.getsockname()[1]}")
    assert time.monotonic() - begun < 5
    assert is_active("anna")


def test_other_ways_in_are_left_open(people: dict[str, Client], follow: Any) -> None:
    here = User.objects.get(username="anna")
    here.set_password("a-password-of-this-site")
    here.save()
    elsewhere = identities.make_user(Person("ldap", "an-id-of-long-ago", "carl"))
    identities.connect(elsewhere, Person("https://id.school.org", "7", "carl"))
    follow(**WITHOUT_ANNA)
    assert (is_active("anna"), is_active("carl")) == (True, True)


def test_last_administrator_stays(people: dict[str, Client], follow: Any) -> None:
    User.objects.update(is_superuser=False)
    User.objects.filter(username="anna").update(is_superuser=True)
    follow(**WITHOUT_ANNA)
    assert is_active("anna")
    assert identity_of("anna").left_at is None


def test_whom_an_administrator_lets_in_again_stays(people: dict[str, Client], follow: Any, owner: User) -> None:
    follow(**WITHOUT_ANNA)
    enable_user(User.objects.get(username="anna"), by=owner)
    follow(**WITHOUT_ANNA)
    assert is_active("anna")


def test_whom_an_administrator_disables_does_not_come_back(people: dict[str, Client], follow: Any, owner: User) -> None:
    anna = User.objects.get(username="anna")
    follow(**WITHOUT_ANNA)
    enable_user(anna, by=owner)
    disable_user(anna, by=owner)
    follow()
    assert not is_active("anna")


def test_directory_that_knows_none_of_the_accounts_changes_nothing(people: dict[str, Client], follow: Any) -> None:
    for identity in ExternalIdentity.objects.all():
        ExternalIdentity.objects.filter(pk=identity.pk).update(subject=f"an-id-of-long-ago-{identity.pk}")
    follow()
    assert (is_active("anna"), is_active("bert")) == (True, True)


@pytest.mark.parametrize("group", ["", GROUP])
def test_directory_that_takes_too_long_is_given_up(
    people: dict[str, Client], follow: Any, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    from classifier.services import directory_search

    monkeypatch.setattr(directory_search, "MOST_SECONDS", -1.0)
    follow(**WITHOUT_ANNA, LDAP_REQUIRE_GROUP=group)
    assert (is_active("anna"), is_active("bert")) == (True, True)


def test_directory_is_asked_once_an_hour(
    people: dict[str, Client], follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classifier.services import directory_search

    asked = []
    ask = directory_search.list_admitted
    monkeypatch.setattr(directory_search, "list_admitted", lambda subjects: asked.append(1) or ask(subjects))
    follow()
    for _ in range(3):
        leavers.follow_directory()
    assert len(asked) == 1


def test_people_on_later_pages_are_there(
    people: dict[str, Client], follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classifier.services import directory_search

    monkeypatch.setattr(directory_search, "PAGE", 1)
    follow(**WITHOUT_ANNA)
    assert (is_active("anna"), is_active("bert")) == (False, True)


def test_site_without_a_directory_asks_nobody(db: None, settings: Any) -> None:
    settings.LDAP_URL = ""
    identities.make_user(Person("ldap", "an-id-of-long-ago", "carl"))
    leavers.follow_directory()
    assert is_active("carl")
