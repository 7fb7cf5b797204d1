"""The second factor: turned on with proof, asked for at each sign-in, used once, and removed by those who may."""

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp import models as otp
from django_otp.plugins.otp_totp.models import TOTPDevice

from classifier.models import AuditEntry, RecoveryCode
from classifier.services import second_factor
from classifier.services.accounts import create_api_key
from classifier.services.sign_in import FREE_TRIES, LONGEST_WAIT
from classifier.views import sign_in
from tests.unit.classifier.conftest import PASSWORD

START, STEP = 1_800_000_000, 30


class Phone:
    """An app on a phone, whose clock goes on from code to code."""

    def __init__(self) -> None:
        self.now = START

    def code(self, user: User) -> str:
        """Return the next code, half a minute later."""
        self.now += STEP
        totp = TOTP(TOTPDevice.objects.get(user=user).bin_key)
        totp.time = self.now
        return f"{totp.token():06d}"


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Phone:
    phone = Phone()
    monkeypatch.setattr(otp, "time", SimpleNamespace(time=lambda: phone.now))
    return phone


@pytest.fixture
def codes(owner: User, phone: Phone) -> list[str]:
    """Turn it on, and return the recovery codes."""
    second_factor.begin(owner)
    return second_factor.turn_on(owner, phone.code(owner))


def give_password(client: Client | None = None, password: str = PASSWORD, query: str = "") -> tuple[Client, Any]:
    client = client or Client()
    return client, client.post(reverse("sign_in") + query, {"username": "owner", "password": password})


def give_code(client: Client, code: str, **more: Any) -> Any:
    return client.post(reverse("sign_in_code"), {"code": code}, **more)


def is_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def show_key(client: Client) -> Any:
    return client.post(reverse("second_factor_on"), {"password": PASSWORD}, follow=True)


def test_it_is_turned_on_with_a_code_and_shows_recovery_codes_once(owner: User, as_owner: Client, phone: Phone) -> None:
    page = show_key(as_owner).content.decode()
    assert 'src="data:image/svg+xml' in page
    device = TOTPDevice.objects.get(user=owner)
    assert second_factor.secret_text(device) in page
    assert not second_factor.is_on(owner)
    shown = as_owner.post(reverse("second_factor_key"), {"code": phone.code(owner)})
    found = re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", shown.content.decode())
    assert len(set(found)) == second_factor.RECOVERY_CODES
    assert "no-store" in shown["Cache-Control"]
    account = as_owner.get(reverse("account")).content.decode()
    assert not any(code in account for code in found)
    assert second_factor.is_on(owner)
    for name in ("second_factor_on", "second_factor_key"):
        page = as_owner.get(reverse(name), follow=True).content.decode()
        assert second_factor.secret_text(device) not in page, "nobody sees the secret again"


def test_wrong_code_turns_nothing_on(owner: User, as_owner: Client, phone: Phone) -> None:
    show_key(as_owner)
    wrong = f"{(int(phone.code(owner)) + 1) % 10**6:06d}"
    page = as_owner.post(reverse("second_factor_key"), {"code": wrong})
    assert page.status_code == 422
    assert 'id="id_code_error"' in page.content.decode()
    assert not second_factor.is_on(owner)
    assert give_password()[1]["Location"] == reverse("project_list")


def test_guesser_at_an_open_browser_has_to_wait(as_owner: Client) -> None:
    answers = [as_owner.post(reverse("second_factor_on"), {"password": "wrong"}) for _ in range(FREE_TRIES + 2)]
    assert [answer.status_code for answer in answers] == [422] * (FREE_TRIES + 1) + [429]
    assert "Please wait" in answers[-1].content.decode()


def test_open_browser_is_not_enough_to_turn_it_on(owner: User, as_owner: Client, phone: Phone) -> None:
    page = as_owner.post(reverse("second_factor_on"), {"password": "wrong"})
    assert (page.status_code, 'id="id_password_error"' in page.content.decode()) == (422, True)
    second_factor.begin(owner)  # in another browser
    as_owner.post(reverse("second_factor_key"), {"code": phone.code(owner)})
    assert not second_factor.is_on(owner)
    page = as_owner.get(reverse("second_factor_key"), follow=True).content.decode()
    assert second_factor.secret_text(TOTPDevice.objects.get(user=owner)) not in page


def test_key_that_somebody_may_have_seen_is_not_shown_again(owner: User, as_owner: Client) -> None:
    show_key(as_owner)
    seen = TOTPDevice.objects.get(user=owner).key
    show_key(as_owner)
    assert TOTPDevice.objects.get(user=owner).key != seen


def test_sign_in_asks_for_the_code_and_then_goes_where_it_was_to(owner: User, codes: list[str], phone: Phone) -> None:
    client, answer = give_password(query=f"?next={reverse('api_keys')}")
    assert answer["Location"] == reverse("sign_in_code")
    assert not is_in(client)
    assert AuditEntry.objects.filter(action="sign_in").count() == 0
    assert give_code(client, phone.code(owner))["Location"] == reverse("api_keys")
    assert is_in(client)
    assert AuditEntry.objects.filter(action="sign_in").count() == 1


def test_code_alone_or_with_a_wrong_password_opens_nothing(owner: User, codes: list[str], phone: Phone) -> None:
    assert give_code(Client(), phone.code(owner))["Location"] == reverse("sign_in")
    client, answer = give_password(password="wrong")
    assert answer.status_code == 200
    assert give_code(client, phone.code(owner))["Location"] == reverse("sign_in")
    assert not is_in(client)


def test_code_works_once(owner: User, codes: list[str], phone: Phone) -> None:
    code = phone.code(owner)
    assert give_code(give_password()[0], code).status_code == 302
    other = give_password()[0]
    assert give_code(other, code).status_code == 422
    assert not is_in(other)


def test_code_that_turned_it_on_does_not_sign_in(owner: User, phone: Phone) -> None:
    second_factor.begin(owner)
    code = phone.code(owner)
    second_factor.turn_on(owner, code)
    assert give_code(give_password()[0], code).status_code == 422


def test_old_code_works_no_longer(owner: User, codes: list[str], phone: Phone) -> None:
    code = phone.code(owner)
    phone.now += 10 * STEP
    assert give_code(give_password()[0], code).status_code == 422


@pytest.mark.parametrize("form", ["{}", " {} ", "{} ".upper()])
def test_recovery_code_signs_in_once_however_it_is_written(form: str, owner: User, codes: list[str]) -> None:
    client = give_password()[0]
    assert give_code(client, form.format(codes[0].upper())).status_code == 302
    assert is_in(client)
    assert give_code(give_password()[0], codes[0]).status_code == 422
    assert owner.recovery_codes.count() == second_factor.RECOVERY_CODES - 1
    assert AuditEntry.objects.get(action="second_factor.recovery").details == {"left": 9}


def test_recovery_codes_are_stored_hashed(owner: User, codes: list[str]) -> None:
    stored = str([vars(row) for row in RecoveryCode.objects.all()])
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)


def test_anothers_recovery_code_opens_nothing(owner: User, stranger: User, codes: list[str], phone: Phone) -> None:
    second_factor.begin(stranger)
    (theirs, *_) = second_factor.turn_on(stranger, phone.code(stranger))
    assert give_code(give_password()[0], theirs).status_code == 422
    assert stranger.recovery_codes.count() == second_factor.RECOVERY_CODES


def test_guesses_have_to_wait_wherever_they_come_from(owner: User, codes: list[str], phone: Phone) -> None:
    for number in range(FREE_TRIES + 1):
        assert give_code(give_password()[0], "000000", REMOTE_ADDR=f"192.0.2.{number}").status_code == 422
    answer = give_code(give_password()[0], phone.code(owner), REMOTE_ADDR="192.0.2.99")
    assert answer.status_code == 429
    assert "Please wait" in answer.content.decode()
    assert AuditEntry.objects.filter(action="sign_in.failed", about="owner").count() > FREE_TRIES


def test_guesses_have_to_wait_without_a_cache(owner: User, codes: list[str], phone: Phone, settings: Any) -> None:
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": away}
    client = give_password()[0]
    assert [give_code(client, "000000").status_code for _ in range(FREE_TRIES + 2)][-2:] == [422, 429]
    assert give_code(client, phone.code(owner)).status_code == 429


def test_waits_end_and_are_no_longer_than_those_of_passwords(owner: User, codes: list[str], phone: Phone) -> None:
    long_ago = timezone.now() - timedelta(seconds=LONGEST_WAIT)
    TOTPDevice.objects.update(throttling_failure_count=1000, throttling_failure_timestamp=long_ago)
    assert give_code(give_password()[0], phone.code(owner)).status_code == 302
    assert TOTPDevice.objects.get().throttling_failure_count == 0


def test_whoever_guesses_digits_delays_no_recovery_code(owner: User, codes: list[str]) -> None:
    for _ in range(FREE_TRIES + 5):
        give_code(give_password()[0], "000000")
    assert give_code(give_password()[0], codes[0]).status_code == 302


def test_password_waits_for_the_code_for_some_minutes(
    owner: User, codes: list[str], phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = give_password()[0]
    monkeypatch.setattr(sign_in, "WAITS_SECONDS", -1)
    assert give_code(client, phone.code(owner))["Location"] == reverse("sign_in")


@pytest.mark.parametrize("change", ["password", "disabled"])
def test_account_that_has_changed_since_is_not_let_in(change: str, owner: User, codes: list[str], phone: Phone) -> None:
    client = give_password()[0]
    if change == "password":
        owner.set_password("other-horse-10")
        owner.save()
    else:
        User.objects.filter(pk=owner.pk).update(is_active=False)
    assert give_code(client, phone.code(owner))["Location"] == reverse("sign_in")
    assert not is_in(client)


def test_it_is_turned_off_with_the_password_and_a_code(
    owner: User, as_owner: Client, codes: list[str], phone: Phone
) -> None:
    off = reverse("second_factor_off")
    page = as_owner.post(off, {"password": "wrong", "code": phone.code(owner)})
    assert (page.status_code, 'id="id_password_error"' in page.content.decode()) == (422, True)
    page = as_owner.post(off, {"password": PASSWORD, "code": "000000"})
    assert (page.status_code, 'id="id_code_error"' in page.content.decode()) == (422, True)
    assert second_factor.is_on(owner)
    assert as_owner.post(off, {"password": PASSWORD, "code": phone.code(owner)}).status_code == 302
    assert not second_factor.is_on(owner)
    assert not owner.recovery_codes.exists()
    assert give_password()[1]["Location"] == reverse("project_list")


def test_new_recovery_codes_need_a_code_and_end_the_old_ones(
    owner: User, as_owner: Client, codes: list[str], phone: Phone
) -> None:
    assert as_owner.post(reverse("second_factor_codes"), {"code": "000000"}).status_code == 422
    page = as_owner.post(reverse("second_factor_codes"), {"code": phone.code(owner)}).content.decode()
    assert codes[0] not in page
    assert owner.recovery_codes.count() == second_factor.RECOVERY_CODES
    assert give_code(give_password()[0], codes[0]).status_code == 422


def test_without_one_there_is_nothing_to_turn_off(owner: User, as_owner: Client) -> None:
    page = as_owner.post(reverse("second_factor_off"), {"password": PASSWORD, "code": "000000"})
    assert page.status_code == 409
    assert as_owner.post(reverse("second_factor_codes"), {"code": "000000"}).status_code == 409


@pytest.fixture
def head(db: None) -> User:
    return User.objects.create_superuser("head", password=PASSWORD)


@pytest.fixture
def as_head(head: User) -> Client:
    client = Client()
    client.force_login(head)
    return client


def test_administrator_removes_it_and_the_log_tells(owner: User, codes: list[str], head: User, as_head: Client) -> None:
    assert "Remove the second factor" in as_head.get(reverse("user", args=[owner.pk])).content.decode()
    as_head.post(reverse("user_second_factor", args=[owner.pk]))
    assert not second_factor.is_on(owner)
    entry = AuditEntry.objects.get(action="second_factor.removed")
    assert (entry.user, entry.about) == (head, "owner")
    page = as_head.post(reverse("user_second_factor", args=[owner.pk]), follow=True).content.decode()
    assert "has no second factor" in page


def test_administrator_does_not_remove_the_own_one_without_a_code(head: User, as_head: Client, phone: Phone) -> None:
    second_factor.begin(head)
    second_factor.turn_on(head, phone.code(head))
    as_head.post(reverse("user_second_factor", args=[head.pk]))
    assert second_factor.is_on(head)


def test_api_tells_of_it_and_removes_it(owner: User, codes: list[str], head: User, client: Client) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(head, 'test')[1]}"}
    assert client.get("/api/v1/users/owner", headers=headers).json()["has_second_factor"] is True
    assert client.delete("/api/v1/users/owner/second-factor", headers=headers).status_code == 204
    assert client.get("/api/v1/users/owner", headers=headers).json()["has_second_factor"] is False
    assert client.delete("/api/v1/users/owner/second-factor", headers=headers).status_code == 409
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    assert client.delete("/api/v1/users/head/second-factor", headers=headers).status_code == 404


def test_keys_work_without_it(owner: User, codes: list[str], client: Client) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    assert client.get("/api/v1/projects", headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["second_factor_on", "second_factor_off", "second_factor_codes"])
def test_pages_are_for_those_who_are_signed_in(name: str, owner: User, client: Client) -> None:
    for method in ("GET", "POST"):
        assert client.generic(method, reverse(name))["Location"].startswith("/sign-in")


def test_log_holds_no_code_and_no_secret(owner: User, as_owner: Client, codes: list[str], phone: Phone) -> None:
    used = phone.code(owner)
    give_code(give_password()[0], used)
    written = str([vars(one) for one in AuditEntry.objects.all()])
    device = TOTPDevice.objects.get(user=owner)
    assert not any(secret in written for secret in (used, device.key, *codes))
