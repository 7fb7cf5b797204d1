"""What a reverse proxy may say, and what is said of one that is not set up."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

PROTO = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.fixture
def https(settings: Any) -> Any:
    settings.HTTPS, settings.SECURE_SSL_REDIRECT = True, True
    return settings


def get(client: Client, path: str = "/sign-in", **headers: str) -> Any:
    return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_proxy_is_believed_where_there_is_one(https: Any, owner: User, client: Client) -> None:
    https.SECURE_PROXY_SSL_HEADER = PROTO
    assert get(client, X_Forwarded_Proto="https").status_code == 200
    assert get(client, X_Forwarded_Proto="http")["Location"].startswith("https://")


def test_others_are_not_believed(https: Any, owner: User, client: Client) -> None:
    https.SECURE_PROXY_SSL_HEADER, https.TRUSTED_PROXIES = PROTO, ["10.0.0.7/32"]
    response = get(client, X_Forwarded_Proto="https")
    assert response.status_code == 400
    assert "TRUSTED_PROXIES" in response.content.decode()
    https.TRUSTED_PROXIES = ["127.0.0.1/32"]
    assert get(client, X_Forwarded_Proto="https").status_code == 200


@pytest.mark.parametrize(
    ("believes", "said", "sentence"),
    [(False, "https", "BEHIND_PROXY=true"), (True, "", "X-Forwarded-Proto")],
    ids=["the site does not believe", "the proxy does not say"],
)
def test_endless_redirection_is_a_page_that_names_the_setting(
    believes: bool, said: str, sentence: str, https: Any, owner: User, client: Client
) -> None:
    https.SECURE_PROXY_SSL_HEADER = PROTO if believes else None
    told = {"X_Forwarded_Proto": said} if said else {}
    response = get(client, **told)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert sentence in get(client, "/api/v1/projects", **told).json()["error"]
    assert get(client, "/health", **told).status_code == 200


def test_without_a_proxy_plain_http_is_sent_to_https(https: Any, owner: User, client: Client) -> None:
    assert get(client)["Location"].startswith("https://")


@pytest.mark.parametrize(
    ("origin", "host", "sentence"),
    [
        ("https://poets.example.org", "poets.example.org", "BEHIND_PROXY=true"),
        ("http://poets.example.org:8443", "poets.example.org", "loses the port"),
        ("http://elsewhere.example.org", "poets.example.org", "CSRF_TRUSTED_ORIGINS"),
    ],
)
def test_form_from_another_address_says_what_to_mend(
    origin: str, host: str, sentence: str, owner: User, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["poets.example.org"]
    client = Client(enforce_csrf_checks=True, headers={"Host": host})
    response = client.post("/sign-in", {"username": "owner"}, headers={"Origin": origin})
    assert response.status_code == 403
    assert sentence in response.content.decode()
