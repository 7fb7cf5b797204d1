"""Signing in with an identity provider: whom it vouches for is let in, and nothing else is believed."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier import oidc_client
from classifier.models import AuditEntry, ExternalIdentity
from classifier.services import identities, second_factor
from classifier.services.identities import Person
from classifier.services.identity import RECENT_SECONDS
from classifier.views.identity import SIGNED_IN_AT
from tests import identity_provider
from tests.identity_provider import CLIENT, SECRET, Provider, make_key, read_query, write_query
from tests.unit.classifier.conftest import PASSWORD


@pytest.fixture
def provider(settings: Any, owner: User) -> Iterator[Provider]:
    oidc_client._make_client.cache_clear()
    with identity_provider.running() as running:
        settings.OIDC_ISSUER, settings.OIDC_NAME = running.address, "Example School"
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.OIDC_ACCOUNTS = "all"
        yield running


def go(client: Client, provider: Provider, query: str = "", **changes: str) -> Any:
    """Go to the provider, sign in there, and come back; `changes` are made on the way back."""
    asked = read_query(client.get(reverse("oidc") + query)["Location"])
    return come_back(client, {**provider.sign_in(asked), **changes})


def come_back(client: Client, brought: dict[str, str]) -> Any:
    return client.get(f"{reverse('oidc_callback')}?{write_query(brought)}")


def is_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def said(client: Client) -> str:
    return client.get(reverse("sign_in")).content.decode()


def test_whoever_is_new_gets_an_account_and_finds_it_again(provider: Provider, client: Client) -> None:
    provider.person |= {"email": "anna@school.org", "email_verified": True}
    assert go(client, provider, "?next=/account/")["Location"] == "/account/"
    assert is_in(client)
    user = User.objects.get(username="anna")
    assert (user.email, user.has_usable_password(), user.is_superuser) == ("anna@school.org", False, False)
    provider.person |= {"preferred_username": "anna.married"}
    again = Client()
    go(again, provider)
    assert again.get(reverse("account")).wsgi_request.user == user
    assert AuditEntry.objects.filter(action="sign_in", user=user).count() == 2


def test_session_of_a_stranger_ends_soon_and_that_of_a_user_does_not(provider: Provider, client: Client) -> None:
    client.get(reverse("oidc"))
    assert client.session.get_expiry_age() <= 3600
    go(client, provider)
    assert client.session.get_expiry_age() > 24 * 3600


def test_what_is_asked_has_state_nonce_and_a_challenge(provider: Provider, client: Client) -> None:
    first, second = (read_query(client.get(reverse("oidc"))["Location"]) for _ in range(2))
    assert (first["response_type"], first["scope"], first["client_id"]) == ("code", "openid profile email", CLIENT)
    assert first["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 20
        assert first[name] != second[name]
    assert first["redirect_uri"].endswith(reverse("oidc_callback"))


def test_page_to_sign_in_leads_there_without_a_script(provider: Provider, client: Client, settings: Any) -> None:
    page = client.get(f"{reverse('sign_in')}?next=/account/keys")
    assert f'href="{reverse("oidc")}?next=/account/keys"' in page.content.decode()
    assert "Sign in with Example School" in page.content.decode()
    assert "form-action 'self'" in page["Content-Security-Policy"]
    settings.OIDC_ISSUER = ""
    assert "Sign in with" not in client.get(reverse("sign_in")).content.decode()
    for name in ("oidc", "oidc_callback"):
        assert client.get(reverse(name)).status_code == 404


def test_same_name_and_address_open_no_account_that_was_there(provider: Provider, owner: User, client: Client) -> None:
    User.objects.filter(pk=owner.pk).update(email="anna@school.org")
    provider.person |= {"preferred_username": "OWNER", "email": "anna@school.org", "email_verified": True}
    go(client, provider)
    user = client.get(reverse("account")).wsgi_request.user
    assert user != owner
    assert user.username == "OWNER-2"


def test_only_who_is_connected_comes_in_where_the_setting_says_so(
    provider: Provider, owner: User, client: Client, settings: Any
) -> None:
    settings.OIDC_ACCOUNTS = "existing"
    assert go(client, provider)["Location"] == reverse("sign_in")
    assert "No account of this site is connected" in said(client)
    assert User.objects.count() == 1
    identities.connect(owner, Person(provider.address, provider.person["sub"], "anna"))
    go(client, provider)
    assert is_in(client)


def test_account_is_connected_with_its_password_and_disconnected(
    provider: Provider, owner: User, as_owner: Client, client: Client
) -> None:
    assert go(as_owner, provider)["Location"] == reverse("oidc_connect")
    assert not owner.identities.exists()
    assert "anna" in as_owner.get(reverse("oidc_connect")).content.decode()
    page = as_owner.post(reverse("oidc_connect"), {"password": "wrong"})
    assert (page.status_code, 'id="id_password_error"' in page.content.decode()) == (422, True)
    assert not owner.identities.exists()
    as_owner.post(reverse("oidc_connect"), {"password": PASSWORD})
    assert owner.identities.get().subject == provider.person["sub"]
    go(client, provider)
    assert client.get(reverse("account")).wsgi_request.user == owner
    page = as_owner.get(reverse("account")).content.decode()
    assert "Connected as <strong>anna</strong>" in page
    address = reverse("identity_disconnect", args=[owner.identities.get().pk])
    as_owner.post(address, {"password": "wrong"})
    assert owner.identities.exists()
    as_owner.post(address, {"password": PASSWORD})
    assert not owner.identities.exists()
    assert {"identity.connected", "identity.disconnected"} <= set(AuditEntry.objects.values_list("action", flat=True))


def test_connecting_needs_the_token_of_the_page(provider: Provider, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    go(client, provider)
    assert client.post(reverse("oidc_connect"), {"password": PASSWORD}).status_code == 403
    assert not owner.identities.exists()


def test_identity_of_somebody_else_is_not_taken(
    provider: Provider, owner: User, as_owner: Client, stranger: User
) -> None:
    identities.connect(stranger, Person(provider.address, provider.person["sub"], "anna"))
    go(as_owner, provider)
    page = as_owner.post(reverse("oidc_connect"), {"password": PASSWORD}).content.decode()
    assert "belongs to another account" in page
    assert ExternalIdentity.objects.get().user == stranger


def test_stranger_disconnects_nobody(provider: Provider, owner: User, as_stranger: Client) -> None:
    identities.connect(owner, Person(provider.address, "1", "anna"))
    row = owner.identities.get()
    assert as_stranger.post(reverse("identity_disconnect", args=[row.pk])).status_code == 404
    for name in ("oidc_connect", "identity_disconnect"):
        args = [row.pk] if name == "identity_disconnect" else []
        assert Client().post(reverse(name, args=args))["Location"].startswith("/sign-in")
    assert owner.identities.exists()


def test_last_way_in_is_kept(provider: Provider, client: Client) -> None:
    go(client, provider)
    row = ExternalIdentity.objects.get()
    page = client.post(reverse("identity_disconnect", args=[row.pk]), {"sure": "yes"}, follow=True).content.decode()
    assert "could not sign in any more" in page
    assert ExternalIdentity.objects.exists()


def test_closed_account_stays_closed(provider: Provider, owner: User, client: Client) -> None:
    identities.connect(owner, Person(provider.address, provider.person["sub"], "anna"))
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert go(client, provider)["Location"] == reverse("sign_in")
    assert "This account is closed" in said(client)
    assert not is_in(client)


def test_second_factor_is_asked_for_all_the_same(
    provider: Provider, owner: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities.connect(owner, Person(provider.address, provider.person["sub"], "anna"))
    monkeypatch.setattr(second_factor, "is_on", lambda user: True)
    assert go(client, provider)["Location"] == reverse("sign_in_code")


def test_account_without_a_password_is_deleted_soon_after_signing_in(provider: Provider, client: Client) -> None:
    go(client, provider)
    user = User.objects.get(username="anna")
    session = client.session
    session[SIGNED_IN_AT] -= RECENT_SECONDS + 1
    session.save()
    go(Client(), provider)  # that they have come elsewhere says nothing of this browser
    page = client.post(reverse("account_delete"), {"sure": "yes"})
    assert "Sign out and in again" in page.content.decode()
    client.post(reverse("sign_out"))
    go(client, provider)
    assert client.post(reverse("account_delete"), {"sure": "yes"}).status_code == 302
    user.refresh_from_db()
    assert not user.is_active


def refused(client: Client, answer: Any) -> bool:
    """Return whether an answer let nobody in, with the sentence for it."""
    assert answer["Location"] == reverse("sign_in")
    assert "Signing in with Example School did not work" in said(client)
    return not is_in(client) and User.objects.count() == 1


def test_other_state_is_refused(provider: Provider, client: Client) -> None:
    assert refused(client, go(client, provider, state="made-up"))


def test_what_another_browser_began_is_refused(provider: Provider, client: Client) -> None:
    asked = read_query(Client().get(reverse("oidc"))["Location"])
    assert refused(client, come_back(client, provider.sign_in(asked)))


def test_answer_is_taken_once(provider: Provider, client: Client) -> None:
    asked = read_query(client.get(reverse("oidc"))["Location"])
    brought = provider.sign_in(asked)
    come_back(client, brought)
    client.post(reverse("sign_out"))
    assert come_back(client, brought)["Location"] == reverse("sign_in")
    assert not is_in(client)


@pytest.mark.parametrize("brought", [{}, {"error": "access_denied"}, {"code": "x"}, {"state": "x"}, {"code": "\0"}])
def test_nothing_useful_is_refused(brought: dict[str, str], provider: Provider, client: Client) -> None:
    assert refused(client, come_back(client, brought))


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "of another visit"},
        {"nonce": ""},
        {"nonce": "of another visit", "nonce_supported": False},
        {"aud": "another-client"},
        {"aud": "another-client", "azp": CLIENT},
        {"aud": ["another-client", "a-third"]},
        {"aud": CLIENT, "azp": "another-client"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"exp": "soon"},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
)
def test_wrong_claims_are_refused(lies: dict[str, Any], provider: Provider, client: Client) -> None:
    provider.lies = lies
    assert refused(client, go(client, provider))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_missing_claims_are_refused(name: str, provider: Provider, client: Client) -> None:
    provider.left_out = {name}
    assert refused(client, go(client, provider))


def test_signature_of_another_key_is_refused(provider: Provider, client: Client) -> None:
    provider.signer = make_key("two")
    assert refused(client, go(client, provider))


def test_key_that_is_not_published_is_refused(provider: Provider, client: Client) -> None:
    provider.signer, provider.header = make_key("two"), {"alg": "RS256", "kid": "two"}
    assert refused(client, go(client, provider))


def test_new_key_of_the_provider_is_fetched(provider: Provider, client: Client) -> None:
    go(client, provider)
    provider.published = provider.signer = make_key("two")
    provider.header = {"alg": "RS256", "kid": "two"}
    other = Client()
    go(other, provider)
    assert is_in(other)


@pytest.mark.parametrize(
    ("key", "alg"), [("published", "HS256"), ("secret", "HS256"), ("shown", "HS256"), ("none", "none")]
)
def test_signature_that_needs_no_private_key_is_refused(key: str, alg: str, provider: Provider, client: Client) -> None:
    """Refuse a MAC, whether its key is the published one, the client's secret or one shown to all, and no signature."""
    published = bytes(provider.published.as_pem(private=False))
    provider.mac_key = {"published": published, "secret": SECRET.encode(), "shown": b"k" * 32, "none": b""}[key]
    provider.more_keys = [
        {"kty": "oct", "kid": "shown", "alg": "HS256", "k": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"}
    ]
    provider.header = {"alg": alg, "kid": "shown" if key == "shown" else "one"}
    assert refused(client, go(client, provider))


def test_provider_that_names_itself_otherwise_is_refused(provider: Provider, client: Client) -> None:
    provider.metadata = {"issuer": "https://evil.example"}
    assert client.get(reverse("oidc"))["Location"] == reverse("sign_in")
    assert "does not answer" in said(client)


def test_provider_that_is_away_is_told_and_passwords_work(provider: Provider, client: Client, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:1"
    assert client.get(reverse("oidc"))["Location"] == reverse("sign_in")
    assert "Signing in with Example School is not possible at the moment" in said(client)
    answer = client.post(reverse("sign_in"), {"username": "owner", "password": PASSWORD})
    assert answer["Location"] == reverse("project_list")


def test_provider_that_hangs_is_given_up(provider: Provider, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_client, "SECONDS_EACH", 0.2)
    provider.sleeps = 1.0
    client.get(reverse("oidc"))
    assert "is not possible at the moment" in said(client)


def test_provider_that_answers_byte_by_byte_is_given_up(
    provider: Provider, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_client, "SECONDS", 0.5)
    provider.drips = 0.1  # each of which begins the timeout of a request anew
    begun = time.monotonic()
    client.get(reverse("oidc"))
    assert time.monotonic() - begun < 10
    assert "is not possible at the moment" in said(client)


def test_long_answer_is_not_read(provider: Provider, client: Client) -> None:
    provider.padding = "x" * oidc_client.MOST_BYTES
    client.get(reverse("oidc"))
    assert "is not possible at the moment" in said(client)


def test_all_questions_together_take_some_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_client, "SECONDS", -1.0)
    with oidc_client.in_time(), oidc_client.TimedSession() as session, pytest.raises(oidc_client.Timeout):
        session.request("GET", "http://127.0.0.1:1")
    assert 0 < oidc_client.SECONDS_EACH < 10


def test_provider_that_goes_away_meanwhile_is_told(provider: Provider, client: Client, settings: Any) -> None:
    asked = read_query(client.get(reverse("oidc"))["Location"])
    brought = provider.sign_in(asked)
    client_of = oidc_client.client_of(settings.OIDC_ISSUER, CLIENT, SECRET)
    client_of.server_metadata["token_endpoint"] = "http://127.0.0.1:1/token"
    come_back(client, brought)
    assert "is not possible at the moment" in said(client)


def test_it_leads_only_to_our_own_pages(provider: Provider, client: Client) -> None:
    assert go(client, provider, "?next=https://evil.example/")["Location"] == reverse("project_list")


def test_log_holds_no_code_and_no_token(provider: Provider, client: Client) -> None:
    asked = read_query(client.get(reverse("oidc"))["Location"])
    brought = provider.sign_in(asked)
    come_back(client, brought)
    written = str([vars(one) for one in AuditEntry.objects.all()])
    assert not any(secret in written for secret in (*brought.values(), asked["nonce"], SECRET))


@pytest.mark.parametrize(
    ("name", "username"),
    [("anna", "anna"), ("owner", "owner-2"), ("Änne Müller", "ÄnneMüller"), ("<>", "user"), ("x" * 150, "x" * 140)],
)
def test_user_name_is_made_from_the_name(name: str, username: str, owner: User) -> None:
    assert identities.make_user(Person("https://a", "1", name)).username == username


def test_same_person_at_the_same_moment_gets_one_account(owner: User) -> None:
    person = Person("https://a", "1", "anna")
    first = identities.make_user(person)
    assert identities.make_user(person) == first
    assert User.objects.count() == 2


def test_times_are_told_by_clocks_that_differ_a_little(provider: Provider, client: Client) -> None:
    provider.lies = {"exp": int(time.time()) - 10}
    go(client, provider)
    assert is_in(client)
