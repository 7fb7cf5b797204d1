"""An authenticator in software: it makes passkeys and answers as a browser does, and lies where told to."""

import hashlib
import json
import secrets
import struct
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode

PRESENT, ATTESTED = 0x01, 0x40


class Authenticator:
    """A device with one passkey.

    Attributes:
        origin, party: where it believes to be.
        flags: what it says of whoever is before it.
        counter: how often it has signed; it stays 0 in one that does not count.
    """

    def __init__(self, origin: str = "http://localhost:8000", party: str = "localhost") -> None:
        self.origin, self.party = origin, party
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(16)
        self.flags = PRESENT
        self.counter = 0

    def create(self, options: dict[str, Any], **lies: Any) -> str:
        """Return the answer to a request for a new passkey."""
        client = self._client_data("webauthn.create", options, lies)
        credential = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        data = self._authenticator_data(self.flags | ATTESTED) + credential + public
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": client, "attestationObject": attestation})

    def get(self, options: dict[str, Any], **lies: Any) -> str:
        """Return the answer to a request for a proof."""
        client = self._client_data("webauthn.get", options, lies)
        data = self._authenticator_data(self.flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer({"clientDataJSON": client, "authenticatorData": data, "signature": signature})

    def _client_data(self, kind: str, options: dict[str, Any], lies: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**told, **lies}).encode()

    def _authenticator_data(self, flags: int) -> bytes:
        return hashlib.sha256(self.party.encode()).digest() + struct.pack(">BI", flags, self.counter)

    def _answer(self, response: dict[str, bytes]) -> str:
        answer = {
            "id": websafe_encode(self.credential_id),
            "rawId": websafe_encode(self.credential_id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {name: websafe_encode(value) for name, value in response.items()},
        }
        return json.dumps(answer)
