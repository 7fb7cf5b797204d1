"""Guessing passwords becomes slow, however the name is written, and delays nobody who sits elsewhere."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import reverse

from classifier.clients import address_group, client_address, client_to_limit
from classifier.models import AuditEntry
from classifier.services import sign_in
from classifier.services.sign_in import FREE_TRIES, LONGEST_WAIT, TooManyTries, count_try
from tests.unit.classifier.conftest import PASSWORD

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def post(client: Client, name: str, password: str, address: str = HERE, **headers: str) -> Any:
    values = {"username": name, "password": password}
    return client.post(reverse("sign_in"), values, REMOTE_ADDR=address, headers=headers)


def guess(times: int, name: str = "owner", address: str = HERE, **headers: str) -> Any:
    client = Client()
    for _ in range(times):
        answer = post(client, name, "wrong", address, **headers)
    return answer


def test_guesses_have_to_wait(owner: User, client: Client) -> None:
    assert guess(FREE_TRIES + 1).status_code == 200
    answer = post(client, "owner", PASSWORD)
    assert answer.status_code == 429
    assert answer["Retry-After"] in ("1", "2")
    assert "Too many attempts with this user name. Please wait" in answer.content.decode()
    assert 'value="owner"' in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_name_that_cannot_be_one_is_refused_as_any_other(owner: User, client: Client) -> None:
    assert post(client, "own\0er", PASSWORD).status_code == 200
    assert "_auth_user_id" not in client.session


def test_waits_grow_and_end(db: None) -> None:
    waits = []
    for number in range(20):
        try:
            count_try("owner", HERE)
        except TooManyTries as error:
            pytest.fail(f"attempt {number} came after its wait and was told to wait for {error.seconds} s")
        with_wait = sign_in._key("owner", HERE) + ":wait"
        if cache.get(with_wait):
            with pytest.raises(TooManyTries) as raised:
                count_try("owner", HERE)
            waits.append(raised.value.seconds)
            cache.delete(with_wait)
    assert waits == sorted(waits)
    assert (len(waits), waits[-1]) == (20 - FREE_TRIES, LONGEST_WAIT)


@pytest.mark.parametrize("name", [" owner", "owner\u3000", "ｏwner", "OWNER", "\u00a0OWNER ", "ｏｗｎｅｒ"])
def test_other_ways_to_write_a_name_count_as_the_same(name: str, owner: User, client: Client) -> None:
    guess(FREE_TRIES + 1)
    assert post(client, name, PASSWORD).status_code == 429


def test_stranger_elsewhere_delays_nobody(owner: User, client: Client) -> None:
    guess(FREE_TRIES + 20, address=ELSEWHERE)
    assert post(client, "owner", PASSWORD, HERE).status_code == 302


def test_guesses_at_another_account_delay_nobody(owner: User, client: Client) -> None:
    guess(FREE_TRIES + 20, name="stranger")
    assert post(client, "owner", PASSWORD).status_code == 302


def test_signing_in_forgets_what_was_wrong_before(owner: User, client: Client) -> None:
    guess(FREE_TRIES - 1)
    assert post(client, "owner", PASSWORD).status_code == 302
    guess(FREE_TRIES - 1)
    assert post(Client(), "owner", PASSWORD).status_code == 302


@pytest.mark.usefixtures("_cache_away")
def test_guesses_have_to_wait_while_redis_is_away(owner: User, client: Client) -> None:
    assert guess(FREE_TRIES + 1).status_code == 200
    assert post(client, "owner", PASSWORD).status_code == 429
    assert post(client, "owner", PASSWORD, ELSEWHERE).status_code == 302
    assert AuditEntry.objects.filter(action="sign_in.failed").count() == FREE_TRIES + 1


@pytest.mark.usefixtures("_cache_away")
def test_signing_in_while_redis_is_away_forgets_what_was_wrong_before(owner: User, client: Client) -> None:
    guess(FREE_TRIES - 1)
    assert post(client, "owner", PASSWORD).status_code == 302
    guess(FREE_TRIES - 1)
    assert post(Client(), "owner", PASSWORD).status_code == 302


def test_visitors_behind_a_proxy_are_told_apart(owner: User, client: Client, settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["1"]
    guess(FREE_TRIES + 20, address="10.0.0.1", **{"X-Forwarded-For": ELSEWHERE})
    assert post(client, "owner", PASSWORD, "10.0.0.1", **{"X-Forwarded-For": HERE}).status_code == 302


def test_address_that_the_guesser_makes_up_changes_nothing(owner: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["1"]
    for number in range(FREE_TRIES + 1):
        guess(1, address="10.0.0.1", **{"X-Forwarded-For": f"198.51.100.{number}, {ELSEWHERE}"})
    assert guess(1, address="10.0.0.1", **{"X-Forwarded-For": f"198.51.100.99, {ELSEWHERE}"}).status_code == 429


NETWORKS = ["10.0.0.0/8", "2001:db8:1::/48"]


@pytest.mark.parametrize(
    ("proxies", "connected", "told", "client"),
    [
        ([], "10.0.0.1", "192.0.2.7", "10.0.0.1"),
        (["0"], "10.0.0.1", "192.0.2.7", "10.0.0.1"),
        (["1"], "10.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["1"], "10.0.0.1", "1.1.1.1, 192.0.2.7", "192.0.2.7"),
        (["2"], "10.0.0.1", "1.1.1.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (["2"], "10.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["1"], "10.0.0.1", "", "10.0.0.1"),
        (["1"], "10.0.0.1", "unknown", "10.0.0.1"),
        (["1"], "", "192.0.2.7", "192.0.2.7"),
        (["1"], "10.0.0.1", "192.0.2.7:5123", "192.0.2.7"),
        (["1"], "10.0.0.1", '"[2001:db8::7]:5123"', "2001:db8::7"),
        (["1"], "10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
        (NETWORKS, "10.0.0.1", "1.1.1.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (NETWORKS, "2001:db8:1::9", "192.0.2.7", "192.0.2.7"),
        (NETWORKS, "192.0.2.9", "1.1.1.1", "192.0.2.9"),
        (NETWORKS, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ],
)
def test_address_of_the_client(proxies: list[str], connected: str, told: str, client: str, settings: Any) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": told} if told else {}
    request = RequestFactory().get("/", REMOTE_ADDR=connected, headers=headers)
    assert client_address(request) == client


@pytest.mark.parametrize(
    ("proxies", "connected", "told", "client"),
    [
        ([], "192.0.2.7", "", "192.0.2.7"),
        ([], "192.0.2.7", "1.1.1.1", "192.0.2.7"),
        ([], "2001:db8::1:2:3:4", "", "2001:db8::/64"),
        ([], "", "", ""),
        ([], "127.0.0.1", "1.1.1.1", ""),
        (["1"], "10.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["1"], "127.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["1"], "10.0.0.1", "", ""),
        (NETWORKS, "10.0.0.1", "", ""),
        (NETWORKS, "10.0.0.1", "192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (NETWORKS, "192.0.2.9", "1.1.1.1", "192.0.2.9"),
    ],
)
def test_whose_share_is_used(proxies: list[str], connected: str, told: str, client: str, settings: Any) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert client_to_limit(connected, told) == client


@pytest.mark.parametrize(
    ("address", "group"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1:2:3:4", "2001:db8::/64"), ("", ""), ("unknown", "unknown")],
)
def test_addresses_that_one_client_has_are_a_group(address: str, group: str) -> None:
    assert address_group(address) == group
