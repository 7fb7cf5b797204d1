"""Passkeys as a second factor (WebAuthn): fido2 checks what browsers answer, and this keeps the public keys."""

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from fido2.cose import UnsupportedKey
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    UserVerificationRequirement,
)

from classifier.models import Passkey
from classifier.services import second_factor
from classifier.services.audit_log import record
from classifier.services.projects import clean_name
from ml.errors import Conflict, Refused

log = structlog.get_logger(__name__)

MOST = 20  # of a user
LONGEST = 20_000  # characters of an answer


class NotProved(Refused):
    """What the browser answered does not prove that the passkey is there."""

    def __init__(self) -> None:
        super().__init__("This did not work. Try again, with a passkey of this account.")


class TooMany(Conflict):
    """The user has as many as are allowed."""

    def __init__(self) -> None:
        super().__init__(f"You have {MOST} passkeys already. Remove one first.")


class IsKnown(Conflict):
    """It is there already."""

    def __init__(self) -> None:
        super().__init__("This passkey has been added already.")


def is_possible() -> bool:
    """Return whether browsers offer passkeys at the site's address: with HTTPS or on this machine, under a name."""
    parts = urlsplit(settings.SITE_URL)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return parts.scheme == "https" or host == "localhost"
    return False


def begin_adding(user: User) -> tuple[str, dict[str, Any]]:
    """Return what a browser is asked to make a passkey of, as JSON, and what to keep until it answers."""
    handle = salted_hmac("poetsweb.passkeys", str(user.pk), algorithm="sha256").digest()
    entity = PublicKeyCredentialUserEntity(id=handle, name=user.username, display_name=user.username)
    options, state = _server().register_begin(entity, _credentials(user), user_verification=_VERIFICATION)
    return json.dumps(dict(options.public_key)), state


def add(user: User, state: dict[str, Any], answer: str, *, name: str) -> list[str]:
    """Add the passkey that a browser has made; return recovery codes if it is the first second factor.

    Raise NotProved, IsKnown, TooMany, InvalidName.
    """
    name = clean_name(name, longest=100)
    made = _check_new(state, answer)
    credential = made.credential_data
    if credential is None or isinstance(credential.public_key, UnsupportedKey):
        raise NotProved
    with transaction.atomic():
        second_factor.lock(user)
        if user.passkeys.count() >= MOST:
            raise TooMany
        credential_id = websafe_encode(credential.credential_id)
        if Passkey.objects.filter(credential_id=credential_id).exists():
            raise IsKnown
        is_first = not second_factor.is_on(user)
        kept = {"credential_id": credential_id, "data": bytes(credential), "sign_count": made.counter}
        Passkey.objects.create(user=user, name=name, **kept)
        record("passkey.added", name, by=user)
        return second_factor.make_recovery_codes(user) if is_first else []


def _check_new(state: dict[str, Any], answer: str) -> AuthenticatorData:
    try:
        return _server().register_complete(state, _read(answer))
    except Exception as error:  # whatever a browser may have sent, it proves nothing
        log.info("passkey_refused", error=type(error).__name__)
        raise NotProved from error


def begin_check(user: User) -> tuple[str, dict[str, Any]]:
    """Return what a browser is asked to prove, as JSON, and what to keep until it answers."""
    options, state = _server().authenticate_begin(_credentials(user), user_verification=_VERIFICATION)
    return json.dumps(dict(options.public_key)), state


def check(user: User, state: dict[str, Any], answer: str) -> None:
    """Check that a passkey of the user has answered. Raise NotProved."""
    try:
        found = _read(answer)
        credential = _server().authenticate_complete(state, _credentials(user), found)
        counter = AuthenticationResponse.from_dict(found).response.authenticator_data.counter
    except Exception as error:  # whatever a browser may have sent, it proves nothing
        log.info("passkey_refused", error=type(error).__name__)
        raise NotProved from error
    theirs = user.passkeys.filter(credential_id=websafe_encode(credential.credential_id))
    # One that counts goes up each time, and a copy of it does not know how far.
    fresh = theirs.filter(sign_count__lt=counter) if counter else theirs.filter(sign_count=0)
    if fresh.update(sign_count=counter, used_at=timezone.now()) != 1:
        raise NotProved


def remove(passkey: Passkey) -> None:
    """Let a passkey prove nothing any more; with the last second factor, the recovery codes go."""
    with transaction.atomic():
        second_factor.lock(passkey.user)
        passkey.delete()
        record("passkey.removed", passkey.name, by=passkey.user)
        second_factor.drop_useless_codes(passkey.user)


_VERIFICATION = UserVerificationRequirement.DISCOURAGED  # the password has been given


def _server() -> Fido2Server:
    host = urlsplit(settings.SITE_URL).hostname or ""
    party = PublicKeyCredentialRpEntity(id=host, name="PoetsWeb")
    return Fido2Server(party, attestation=None, verify_origin=lambda origin: origin == settings.SITE_ORIGIN)


def _credentials(user: User) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(bytes(row.data)) for row in user.passkeys.all()]


def _read(answer: str) -> dict[str, Any]:
    found = json.loads(answer[:LONGEST])
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
