"""A little identity provider of our own, which speaks OpenID Connect, signs with a real key, and lies where told to."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.http_server import QuietHandler

CLIENT, SECRET = "poets", "shared-secret-of-the-client-and-the-provider"


@cache
def make_key(name: str) -> RSAKey:
    """Return a key; to make one takes a while."""
    return RSAKey.generate_key(2048, parameters={"kid": name, "use": "sig", "alg": "RS256"})


class Provider:
    """What the provider knows, and how it lies.

    Attributes:
        person: the claims about whoever signs in there.
        lies: claims that its tokens have instead of the true ones.
        signer, mac_key, header: with what it signs, and what it says about that.
        asked: the addresses that were asked, in order.
    """

    def __init__(self) -> None:
        self.address = ""
        self.person = {"sub": "248289761001", "preferred_username": "anna"}
        self.lies: dict[str, Any] = {}
        self.left_out: set[str] = set()
        self.drips = 0.0  # seconds between the bytes of an answer
        self.padding = ""  # of an answer
        self.metadata: dict[str, Any] = {}
        self.published = make_key("one")
        self.signer = make_key("one")
        self.more_keys: list[dict[str, str]] = []  # that it publishes beside its own
        self.mac_key: bytes | None = None  # with which it signs in place of that
        self.header = {"alg": "RS256", "kid": "one"}
        self.sleeps = 0.0
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}

    def describe(self) -> dict[str, Any]:
        """Return the document under /.well-known."""
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **self.metadata,
        }

    def sign_in(self, asked: dict[str, str]) -> dict[str, str]:
        """Return what the browser brings back after somebody has signed in here."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def give_token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return tokens for a code, once, to who shows the secret and what the challenge was made of."""
        asked = self.codes.pop(form.get("code", ""), None)
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or authorization != expected or challenge != asked["code_challenge"]:
            return None
        if form.get("redirect_uri") != asked["redirect_uri"] or asked["code_challenge_method"] != "S256":
            return None
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {
            name: value for name, value in {**claims, **self.person, **self.lies}.items() if name not in self.left_out
        }
        if self.mac_key is not None:
            token = sign_by_hand(self.header, claims, self.mac_key)
        else:
            token = jwt.encode(self.header, claims, self.signer, algorithms=["RS256"])
        return {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": token}


def sign_by_hand(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """Return a token with a MAC, or unsigned without a key; the library rightly makes neither with such keys."""
    texts = [_encode(json.dumps(part).encode()) for part in (header, claims)]
    mac = hmac.digest(key, ".".join(texts).encode(), "sha256") if key else b""
    return ".".join((*texts, _encode(mac)))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def running() -> Iterator[Provider]:
    """Run the provider on this machine."""
    provider = Provider()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            time.sleep(provider.sleeps)
            path = urlsplit(self.path).path
            if path == "/.well-known/openid-configuration":
                self._answer(200, provider.describe())
            elif path == "/keys":
                self._answer(200, {"keys": [provider.published.as_dict(private=False), *provider.more_keys]})
            elif path == "/authorize":  # whoever comes is signed in here already
                asked = read_query(self.path)
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(provider.sign_in(asked))}")
                self.end_headers()
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            found = provider.give_token(form, self.headers.get("Authorization", ""))
            self._answer(200 if found else 400, found or {"error": "invalid_grant"})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps({**body, "padding": provider.padding} if provider.padding else body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not provider.drips:
                self.wfile.write(data)
                return
            with suppress(OSError):  # nobody waits any longer
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    time.sleep(provider.drips)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        provider.address = f"http://127.0.0.1:{server.server_port}"
        yield provider
        server.shutdown()


def read_query(address: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def write_query(values: dict[str, str]) -> str:
    return urlencode(values)
