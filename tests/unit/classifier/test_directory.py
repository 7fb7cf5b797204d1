"""Signing in with the passwords of a directory, asked of a real one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import AuditEntry
from classifier.services import directories, identities, second_factor
from classifier.services.identities import Person
from classifier.services.sign_in import FREE_TRIES
from poetsweb import identity_providers
from poetsweb.env import ENVIRONMENT
from tests import directory_server
from tests.directory_server import GROUP, PASSWORDS, PEOPLE, SERVICE, SERVICE_PASSWORD, SLAPD
from tests.unit.classifier.conftest import PASSWORD

pytestmark = [
    pytest.mark.skipif(find_spec("django_auth_ldap") is None, reason="the extra “ldap” is not installed"),
    pytest.mark.skipif(SLAPD is None, reason="there is no slapd (apt-get install slapd)"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with directory_server.running() as address:
        yield address


@pytest.fixture
def configure(settings: Any) -> Any:
    """Return what sets the settings up as the environment would."""

    def set_up(**given: Any) -> None:
        usual = {"LDAP_SEARCH": PEOPLE, "LDAP_BIND_DN": SERVICE, "LDAP_BIND_PASSWORD": SERVICE_PASSWORD}
        environment = ENVIRONMENT.model_copy(update={**usual, **given})
        settings.LDAP_URL = environment.LDAP_URL
        for name, value in identity_providers.read_backends(environment).items():
            setattr(settings, name, value)

    return set_up


@pytest.fixture(autouse=True)
def _directory(address: str, configure: Any, owner: User) -> None:
    configure(LDAP_URL=address)


def sign_in(name: str, password: str, client: Client | None = None) -> Any:
    return (client or Client()).post(reverse("sign_in"), {"username": name, "password": password})


def lets_in(name: str, password: str) -> bool:
    client = Client()
    sign_in(name, password, client)
    return client.get(reverse("account")).status_code == 200


def test_whoever_is_new_gets_an_account_and_finds_it_again(client: Client) -> None:
    assert sign_in("anna", PASSWORDS["anna"], client).status_code == 302
    user = User.objects.get(username="anna")
    assert (user.email, user.has_usable_password(), user.is_superuser) == ("anna@school.org", False, False)
    assert "Your password is that of your organisation" in client.get(reverse("account")).content.decode()
    for typed in ("anna", "ANNA", " anna "):
        assert lets_in(typed, PASSWORDS["anna"])
    assert User.objects.count() == 2
    assert AuditEntry.objects.filter(action="sign_in", user=user).count() == 4


def test_wrong_and_empty_passwords_open_nothing(owner: User) -> None:
    for password in ("wrong", "", " ", PASSWORDS["bert"]):
        assert not lets_in("anna", password)
    assert authenticate(None, username="anna", password="") is None
    assert authenticate(None, username="anna", password=None) is None
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "ann*",
        "*)(uid=*",
        "*)(uid=anna",
        "anna)(objectClass=*",
        "anna*)(|(uid=*",
        "a\\6enna",
        "nobody",
        "anna,x",
        pytest.param("\0anna", id="nul"),
    ],
)
def test_names_that_mean_something_to_filters_find_nobody(name: str, owner: User) -> None:
    from classifier.directory import DirectoryBackend  # which needs the extra

    assert not lets_in(name, PASSWORDS["anna"])
    assert DirectoryBackend().authenticate(None, username=name, password=PASSWORDS["anna"]) is None
    assert User.objects.count() == 1


def test_names_and_passwords_of_all_languages_work() -> None:
    assert lets_in("müller", PASSWORDS["müller"])


def test_account_of_this_site_wins_and_is_not_taken_over(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not lets_in("owner", PASSWORDS["owner"])
    assert not lets_in("OWNER", PASSWORDS["owner"])
    assert lets_in("owner", PASSWORD)
    assert not owner.identities.exists()


def test_directory_is_not_told_passwords_of_this_site(owner: User, configure: Any) -> None:
    configure(LDAP_URL="ldap://127.0.0.1:1")  # asking would end in the sentence that it is away
    answer = sign_in("owner", "wrong")
    assert directories.AWAY not in answer.content.decode()
    assert "correct username" in answer.content.decode()


def test_new_person_with_an_old_name_gets_an_account_of_their_own(owner: User) -> None:
    left = identities.make_user(Person(directories.LDAP, "an-id-of-long-ago", "anna"))
    client = Client()
    sign_in("anna", PASSWORDS["anna"], client)
    user = client.get(reverse("account")).wsgi_request.user
    assert user != left
    assert user.username == "anna-2"


def test_only_members_of_the_group_come_in(address: str, configure: Any) -> None:
    configure(LDAP_URL=address, LDAP_REQUIRE_GROUP=GROUP)
    assert lets_in("anna", PASSWORDS["anna"])
    assert not lets_in("bert", PASSWORDS["bert"])
    assert not User.objects.filter(username="bert").exists()


def test_filter_is_the_setting_s(address: str, configure: Any) -> None:
    configure(LDAP_URL=address, LDAP_FILTER="(mail=%(user)s)")
    assert lets_in("anna@school.org", PASSWORDS["anna"])
    assert User.objects.filter(username="anna").exists()
    assert not lets_in("anna", PASSWORDS["anna"])
    assert not lets_in("somebody@school.org", PASSWORDS["bert"])  # there are several of them


def test_closed_account_stays_closed() -> None:
    assert lets_in("anna", PASSWORDS["anna"])
    client = Client()
    sign_in("anna", PASSWORDS["anna"], client)
    User.objects.filter(username="anna").update(is_active=False)
    assert client.get(reverse("account")).status_code == 302
    assert not lets_in("anna", PASSWORDS["anna"])


def test_guesses_have_to_wait_before_the_directory_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from django_auth_ldap.backend import LDAPBackend

    asked = []
    ask = LDAPBackend.authenticate
    monkeypatch.setattr(
        LDAPBackend, "authenticate", lambda self, *rest, **named: asked.append(1) or ask(self, *rest, **named)
    )
    for _ in range(FREE_TRIES + 1):
        sign_in("anna", "wrong")
    assert sign_in("anna", PASSWORDS["anna"]).status_code == 429
    assert len(asked) == FREE_TRIES + 1


def test_second_factor_is_asked_for_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_factor, "is_on", lambda user: True)
    assert sign_in("anna", PASSWORDS["anna"])["Location"] == reverse("sign_in_code")


def test_account_is_deleted_with_the_password_of_the_directory(client: Client) -> None:
    sign_in("anna", PASSWORDS["anna"], client)
    assert client.post(reverse("account_delete"), {"password": "wrong"}).status_code == 422
    assert client.post(reverse("account_delete"), {"password": PASSWORDS["anna"]}).status_code == 302
    assert not User.objects.get(username="anna").is_active


@contextmanager
def silent_server() -> Iterator[str]:
    """Give the address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ldap://127.0.0.1:{server.getsockname()[1]}"


def check_away(client: Client) -> None:
    answer = sign_in("anna", PASSWORDS["anna"], client)
    assert answer.status_code == 503
    assert directories.AWAY in answer.content.decode()
    assert lets_in("owner", PASSWORD)


def test_directory_that_is_away_is_told_and_own_accounts_work(configure: Any, client: Client) -> None:
    configure(LDAP_URL="ldap://127.0.0.1:1")
    check_away(client)


def test_directory_that_hangs_is_given_up(configure: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < identity_providers.SECONDS <= 3
    monkeypatch.setattr(identity_providers, "SECONDS", 0.2)
    with silent_server() as address:
        configure(LDAP_URL=address)
        check_away(client)


def test_directory_that_does_not_know_the_site_is_told(address: str, configure: Any, client: Client) -> None:
    configure(LDAP_URL=address, LDAP_BIND_PASSWORD="wrong")
    check_away(client)


def test_passwords_are_not_sent_where_tls_does_not_begin(address: str, configure: Any, client: Client) -> None:
    configure(LDAP_URL=address, LDAP_START_TLS=True)
    check_away(client)


def test_log_holds_no_password() -> None:
    sign_in("anna", PASSWORDS["anna"])
    written = str([vars(one) for one in AuditEntry.objects.all()])
    assert PASSWORDS["anna"] not in written
    assert SERVICE_PASSWORD not in written
