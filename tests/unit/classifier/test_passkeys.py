"""Passkeys as a second factor: made, asked for after the password, and believed only when they prove it."""

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from classifier.models import AuditEntry, Passkey
from classifier.services import passkeys, second_factor
from tests.authenticator import Authenticator
from tests.unit.classifier.conftest import PASSWORD


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.SITE_URL = settings.SITE_ORIGIN = "http://localhost:8000"


def asked(page: Any) -> dict[str, Any]:
    """Return what a page has the browser ask for."""
    found = re.search(r'data-options="([^"]+)"', page.content.decode())
    assert found
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


def add(client: Client, device: Authenticator, name: str = "My phone", **lies: Any) -> Any:
    options = asked(client.get(reverse("passkey_new")))
    return client.post(
        reverse("passkey_new"), {"name": name, "password": PASSWORD, "answer": device.create(options, **lies)}
    )


@pytest.fixture
def device(owner: User, as_owner: Client) -> Authenticator:
    """Return a device whose passkey has been added."""
    device = Authenticator()
    assert add(as_owner, device).status_code == 200
    return device


def give_password() -> Client:
    client = Client()
    answer = client.post(reverse("sign_in"), {"username": "owner", "password": PASSWORD})
    assert answer["Location"] == reverse("sign_in_code")
    return client


def prove(client: Client, device: Authenticator, **lies: Any) -> bool:
    options = asked(client.get(reverse("sign_in_code")))
    client.post(reverse("sign_in_passkey"), {"answer": device.get(options, **lies)})
    return is_in(client)


def is_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def test_first_passkey_brings_recovery_codes_and_the_second_does_not(owner: User, as_owner: Client) -> None:
    first = add(as_owner, Authenticator())
    assert len(re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", first.content.decode())) == 10
    assert add(as_owner, Authenticator(), "Key").status_code == 302
    assert list(owner.passkeys.values_list("name", flat=True)) == ["My phone", "Key"]
    assert owner.recovery_codes.count() == 10
    page = as_owner.get(reverse("account")).content.decode()
    assert "My phone" in page


def test_sign_in_asks_for_it_after_the_password(owner: User, device: Authenticator) -> None:
    client = give_password()
    assert not is_in(client)
    assert prove(client, device)
    assert Passkey.objects.get().used_at is not None
    assert AuditEntry.objects.filter(action="sign_in", user=owner).count() == 1


def test_recovery_code_signs_in_without_it(owner: User, as_owner: Client) -> None:
    (code, *_) = re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", add(as_owner, Authenticator()).content.decode())
    client = give_password()
    client.post(reverse("sign_in_code"), {"code": code})
    assert is_in(client)


def test_nothing_works_without_the_password(owner: User, device: Authenticator) -> None:
    client = Client()
    assert client.post(reverse("sign_in_passkey"), {"answer": "{}"})["Location"] == reverse("sign_in")


@pytest.mark.parametrize(
    "lies",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8001"},
        {"challenge": "b3RoZXI"},
        {"type": "webauthn.create"},
    ],
)
def test_proof_for_something_else_is_refused(lies: dict[str, Any], owner: User, device: Authenticator) -> None:
    client = give_password()
    assert not prove(client, device, **lies)
    assert "This did not work" in client.get(reverse("sign_in_code")).content.decode()
    assert AuditEntry.objects.filter(action="sign_in.failed", about="owner").exists()


def test_proof_for_another_site_or_without_anybody_is_refused(owner: User, device: Authenticator) -> None:
    device.party = "evil.example"
    assert not prove(give_password(), device)
    device.party, device.flags = "localhost", 0
    assert not prove(give_password(), device)


def test_proof_by_another_key_is_refused(owner: User, device: Authenticator) -> None:
    other = Authenticator()
    assert not prove(give_password(), other)
    other.credential_id = device.credential_id
    assert not prove(give_password(), other)


def test_passkey_of_somebody_else_is_refused(owner: User, device: Authenticator, as_stranger: Client) -> None:
    theirs = Authenticator()
    add(as_stranger, theirs)
    assert not prove(give_password(), theirs)


def test_proof_works_once(owner: User, device: Authenticator) -> None:
    client = give_password()
    answer = device.get(asked(client.get(reverse("sign_in_code"))))
    client.post(reverse("sign_in_passkey"), {"answer": answer})
    assert is_in(client)
    other = give_password()
    other.get(reverse("sign_in_code"))
    other.post(reverse("sign_in_passkey"), {"answer": answer})
    assert not is_in(other)


def test_copy_that_counts_behind_is_refused(owner: User, device: Authenticator) -> None:
    device.counter = 5
    assert prove(give_password(), device)
    assert not prove(give_password(), device)
    device.counter = 6
    assert prove(give_password(), device)
    device.counter = 0  # one that has counted goes on counting
    assert not prove(give_password(), device)


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", "x", '{"rawId": 1}', '{"rawId": "AA", "response": {}}', "9" * 30000]
)
def test_nonsense_is_refused(answer: str, owner: User, as_owner: Client, device: Authenticator) -> None:
    client = give_password()
    client.get(reverse("sign_in_code"))
    assert client.post(reverse("sign_in_passkey"), {"answer": answer}).status_code == 302
    assert not is_in(client)
    as_owner.get(reverse("passkey_new"))
    page = as_owner.post(reverse("passkey_new"), {"name": "x", "password": PASSWORD, "answer": answer})
    assert page.status_code == 422
    assert "This did not work" in page.content.decode()


@pytest.mark.parametrize(
    "lies", [{"origin": "https://evil.example"}, {"challenge": "b3RoZXI"}, {"type": "webauthn.get"}]
)
def test_passkey_made_for_something_else_is_not_added(lies: dict[str, Any], owner: User, as_owner: Client) -> None:
    assert add(as_owner, Authenticator(), **lies).status_code == 422
    assert not owner.passkeys.exists()


def test_passkey_is_added_once(owner: User, as_owner: Client, device: Authenticator, as_stranger: Client) -> None:
    assert add(as_owner, device).status_code == 409
    assert add(as_stranger, device).status_code == 409
    assert Passkey.objects.count() == 1


def test_number_of_passkeys_is_limited(
    owner: User, as_owner: Client, device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkeys, "MOST", 1)
    assert add(as_owner, Authenticator()).status_code == 409


def test_it_is_removed_with_the_password_and_with_the_last_one_the_second_factor_goes(
    owner: User, as_owner: Client, device: Authenticator
) -> None:
    address = reverse("passkey_remove", args=[owner.passkeys.get().pk])
    assert as_owner.post(address, {"password": "wrong"}).status_code == 422
    assert owner.passkeys.exists()
    assert as_owner.post(address, {"password": PASSWORD}).status_code == 302
    assert not second_factor.is_on(owner)
    assert not owner.recovery_codes.exists()
    assert {"passkey.added", "passkey.removed"} <= set(AuditEntry.objects.values_list("action", flat=True))


def test_app_and_passkey_are_turned_off_one_by_one(
    owner: User, device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = give_password().get(reverse("sign_in_code")).content.decode()
    assert "Recovery code</label>" in page  # there is no app to show digits
    TOTPDevice.objects.create(user=owner, confirmed=True)
    monkeypatch.setattr(second_factor, "check_code", lambda *_, **__: None)
    second_factor.turn_off(owner, "123456", address="")
    assert not second_factor.has_app(owner)
    assert second_factor.is_on(owner)
    assert owner.recovery_codes.exists()


def test_stranger_removes_nobodys_passkey(owner: User, device: Authenticator, as_stranger: Client) -> None:
    address = reverse("passkey_remove", args=[owner.passkeys.get().pk])
    assert as_stranger.post(address, {"password": PASSWORD}).status_code == 404
    for asked_for in (address, reverse("passkey_new")):
        assert Client().post(asked_for)["Location"].startswith("/sign-in")
    assert owner.passkeys.exists()


def test_administrator_removes_passkeys_with_the_second_factor(owner: User, device: Authenticator) -> None:
    head = User.objects.create_superuser("head")
    second_factor.remove(owner, by=head)
    assert not owner.passkeys.exists()
    assert not owner.recovery_codes.exists()


@pytest.mark.parametrize(
    ("address", "possible"),
    [
        ("http://localhost:8000", True),
        ("https://poets.example.org", True),
        ("http://poets.example.org", False),
        ("http://127.0.0.1:8000", False),
        ("https://192.0.2.7", False),
    ],
)
def test_it_is_offered_where_browsers_can(
    address: str, possible: bool, owner: User, as_owner: Client, settings: Any
) -> None:
    settings.SITE_URL = address
    assert passkeys.is_possible() == possible
    assert ("Add a passkey" in as_owner.get(reverse("account")).content.decode()) == possible
    assert as_owner.get(reverse("passkey_new")).status_code == (200 if possible else 404)


def test_open_browser_is_not_enough_to_add_one(owner: User, as_owner: Client) -> None:
    options = asked(as_owner.get(reverse("passkey_new")))
    answer = Authenticator().create(options)
    page = as_owner.post(reverse("passkey_new"), {"name": "Mine", "password": "wrong", "answer": answer})
    assert (page.status_code, "This is not your password." in page.content.decode()) == (422, True)
    assert not owner.passkeys.exists()
