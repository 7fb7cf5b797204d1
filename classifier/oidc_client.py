"""Authlib's client of an identity provider, held to more than it asks for by itself.

It is imported where it is used, because Authlib is an extra.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.django_client import OAuth
from authlib.integrations.django_client.apps import DjangoOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from django.utils.crypto import constant_time_compare
from requests.exceptions import Timeout

# Signatures that need the provider's private key. With HS256 the client secret would do, and with none nothing.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SECONDS, SECONDS_EACH = 8.0, 3.0  # for all that the provider is asked in one step, and for one question
KEPT_SECONDS = 3600  # for which the provider's addresses and keys are kept
MOST_REDIRECTS = 3
_ends: ContextVar[float] = ContextVar("oidc_ends")


@contextmanager
def in_time() -> Iterator[None]:
    """Give all questions in this block some seconds together."""
    token = _ends.set(time.monotonic() + SECONDS)
    try:
        yield
    finally:
        _ends.reset(token)


class TimedSession(OAuth2Session):  # type: ignore[misc] # has no types
    """Asks within the time that is left."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_redirects = MOST_REDIRECTS

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        left = _ends.get() - time.monotonic()
        if left <= 0:
            raise Timeout
        return super().request(method, url, **{**kwargs, "timeout": min(left, SECONDS_EACH)})


class ProviderClient(DjangoOAuth2App):  # type: ignore[misc] # has no types
    """Believes the provider that the settings name, and nobody else."""

    client_cls = TimedSession
    issuer = ""

    def load_server_metadata(self) -> dict[str, Any]:
        """Return what the provider says of itself. Raise OAuthError if it is another one."""
        metadata: dict[str, Any] = super().load_server_metadata()
        if metadata.get("issuer") != self.issuer:
            raise OAuthError("invalid_issuer", "the provider names itself otherwise than OIDC_ISSUER")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in ALGORITHMS if name in offered]
        return metadata

    def parse_id_token(self, token: dict[str, Any], nonce: str, **kwargs: Any) -> Any:
        """Return the claims of a token that is for us, from the provider, and for this visit."""
        options = {
            "iss": {"essential": True, "values": [self.issuer]},
            "aud": {"essential": True, "values": [self.client_id]},
            "sub": {"essential": True},
        }
        claims = super().parse_id_token(token, nonce, **{**kwargs, "claims_options": options})
        # A token may not say that it has no nonce: it is what ties it to this browser.
        if claims is None or not nonce or not constant_time_compare(str(claims.get("nonce", "")), nonce):
            raise OAuthError("invalid_nonce", "the ID token is missing, or is of another visit")
        return claims


def client_of(issuer: str, client_id: str, client_secret: str) -> ProviderClient:
    """Return the client of a provider, with what it has learnt of it within the hour."""
    return _make_client(issuer, client_id, client_secret, int(time.time() // KEPT_SECONDS))


@lru_cache(maxsize=4)
def _make_client(issuer: str, client_id: str, client_secret: str, hour: int) -> ProviderClient:
    client = OAuth().register(
        "oidc",
        client_cls=ProviderClient,
        client_id=client_id,
        client_secret=client_secret or None,
        server_metadata_url=issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "client_secret_basic" if client_secret else "none",
        },
    )
    client.issuer = issuer
    found: ProviderClient = client
    return found
