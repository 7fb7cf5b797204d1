"""Authlib's client of an identity provider, held to more than it asks for by itself.

It is imported where it is used, because Authlib is an extra.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.django_client import OAuth
from authlib.integrations.django_client.apps import DjangoOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from django.utils.crypto import constant_time_compare
from requests.exceptions import RequestException, Timeout

# Signatures that need the provider's private key. With HS256 the client secret would do, and with none nothing.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SECONDS, SECONDS_EACH = 8.0, 3.0  # for all that the provider is asked in one step, and for one question
KEPT_SECONDS = 3600  # for which the provider's addresses and keys are kept
MOST_BYTES = 2**20  # of an answer
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
    """Asks within the time that is left, and takes no long answer."""

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        left = _ends.get() - time.monotonic()
        if left <= 0:
            raise Timeout
        options = {**kwargs, "timeout": min(left, SECONDS_EACH), "stream": True, "allow_redirects": False}
        ask = super().request
        return _within(left, lambda: _read_bounded(ask(method, url, **options)))


def _read_bounded(response: Any) -> Any:
    """Read the body of an answer, if it is not too long. Raise RequestException."""
    try:
        body = response.raw.read(MOST_BYTES + 1, decode_content=True)
    finally:
        response.close()
    if len(body) > MOST_BYTES:
        raise RequestException("the answer is too long")
    response._content, response._content_consumed = body, True  # what `content` keeps once it has read it all
    return response


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """Return the answer that comes in time. Raise Timeout: the timeout of a request begins anew with every byte."""
    found: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            found.put((ask(), None))
        except BaseException as error:
            found.put((None, error))

    threading.Thread(target=run, daemon=True, name="oidc").start()
    try:
        answer, error = found.get(timeout=seconds)
    except Empty:
        raise Timeout from None
    if error is not None:
        raise error
    return answer


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
