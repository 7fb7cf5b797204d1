"""The second factor: a code that an app on somebody's phone computes anew every half minute, and codes on paper.

django-otp keeps the secret and checks the codes; what makes one work only once is a row that is locked meanwhile.
"""

import base64
import hashlib
import secrets

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from classifier.models import RecoveryCode
from classifier.services.audit_log import record
from classifier.services.sign_in import FREE_TRIES, LONGEST_WAIT, TooManyTries, count_try, forget_tries
from classifier.services.users import NotYourself
from ml.errors import Conflict, Refused

RECOVERY_CODES, RECOVERY_BYTES = 10, 10
DIGITS = 6


class WrongCode(Refused):
    """The code is none, is too old, or has been used."""

    def __init__(self) -> None:
        super().__init__("This code is not right, or has been used already. Wait for the next one and type that.")


class NotOn(Conflict):
    """There is no second factor."""

    def __init__(self) -> None:
        super().__init__("This account has no second factor.")


class IsOn(Conflict):
    """There is a second factor already."""

    def __init__(self) -> None:
        super().__init__("This account has a second factor already. Turn it off first.")


def is_on(user: User) -> bool:
    """Return whether signing in needs a second factor: a code of an app, or a passkey (see `passkeys`)."""
    return has_app(user) or user.passkeys.exists()


def has_app(user: User) -> bool:
    """Return whether an app makes codes for the user."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def count_recovery_codes(user: User) -> int:
    """Return how many recovery codes are left."""
    return user.recovery_codes.count()


def begin(user: User) -> TOTPDevice:
    """Return a new key for an app, in the place of one that no app has proved to have. Raise IsOn."""
    with transaction.atomic():
        lock(user)
        if has_app(user):
            raise IsOn
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        return TOTPDevice.objects.create(user=user, confirmed=False, name="app")


def find_unproved(user: User) -> TOTPDevice | None:
    """Return the key that no app has proved to have, if there is one."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return found


def secret_text(device: TOTPDevice) -> str:
    """Return the secret as people type it into an app that cannot see the QR code."""
    text = base64.b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def turn_on(user: User, code: str) -> list[str]:
    """Ask for a code at each sign-in from now on, and return recovery codes. Raise WrongCode, IsOn, TooManyTries."""
    count_try(_name(user), "")
    with transaction.atomic():
        lock(user)
        if has_app(user):
            raise IsOn
        device = find_unproved(user)
        if device is None or not device.verify_token(_read(code)):
            raise WrongCode
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
        record("second_factor.on", user.username, by=user)
        codes = make_recovery_codes(user)
    forget_tries(_name(user), "")
    return codes


def check_code(user: User, code: str, *, address: str) -> None:
    """Take a code of the app or a recovery code, once. Raise WrongCode, TooManyTries.

    Guesses of the six digits count for the account wherever they come from, and without a cache, too. A recovery code
    cannot be guessed, so nobody elsewhere delays whoever has one.
    """
    is_guessable = len(_read(code)) == DIGITS
    if not is_guessable:
        count_try(_name(user), address)
    with transaction.atomic():
        lock(user)
        is_right = _take_code(user, code) if is_guessable else _take_recovery_code(user, code)
    if not is_right:
        raise WrongCode  # outside, so that the failure stays counted
    forget_tries(_name(user), address)


def _take_code(user: User, code: str) -> bool:
    device = TOTPDevice.objects.filter(user=user, confirmed=True).first()
    if device is None:
        return False
    _check_wait(device)
    return bool(device.verify_token(_read(code)))


def _check_wait(device: TOTPDevice) -> None:
    """Let guesses wait as those of passwords do, by the failures that django-otp counts. Raise TooManyTries."""
    beyond = device.throttling_failure_count - FREE_TRIES
    if beyond <= 0 or device.throttling_failure_timestamp is None:
        return
    wait = min(2 ** min(beyond, 16), LONGEST_WAIT)
    left = wait - (timezone.now() - device.throttling_failure_timestamp).total_seconds()
    if left > 0:
        raise TooManyTries(max(1, round(left)))


def _take_recovery_code(user: User, code: str) -> bool:
    if user.recovery_codes.filter(digest=_digest(code)).delete()[0] != 1:
        return False
    record("second_factor.recovery", user.username, by=user, left=count_recovery_codes(user))
    return True


def renew_recovery_codes(user: User, code: str, *, address: str) -> list[str]:
    """Return new recovery codes; the old ones stop. Raise NotOn, WrongCode, TooManyTries."""
    if not is_on(user):
        raise NotOn
    check_code(user, code, address=address)
    with transaction.atomic():
        lock(user)
        record("second_factor.codes", user.username, by=user)
        return make_recovery_codes(user)


def turn_off(user: User, code: str, *, address: str) -> None:
    """Ask for no code of an app any more. Raise NotOn, WrongCode, TooManyTries."""
    if not has_app(user):
        raise NotOn
    check_code(user, code, address=address)
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).delete()
        drop_useless_codes(user)
        record("second_factor.off", user.username, by=user)


def remove(user: User, *, by: User) -> None:
    """Take the second factor from somebody else who has lost it, as an administrator. Raise NotOn, NotYourself."""
    if by.pk == user.pk:
        raise NotYourself
    if not is_on(user):
        raise NotOn
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).delete()
        user.passkeys.all().delete()
        drop_useless_codes(user)
        record("second_factor.removed", user.username, by=by)


def drop_useless_codes(user: User) -> None:
    """Delete the recovery codes of somebody who has no second factor any more."""
    if not is_on(user):
        user.recovery_codes.all().delete()


def make_recovery_codes(user: User) -> list[str]:
    """Return new recovery codes; the old ones stop. Call it in a transaction."""
    user.recovery_codes.all().delete()
    texts = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(text)) for text in texts)
    return ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in texts]


def _digest(code: str) -> str:
    """Return what is kept of a recovery code; its 80 random bits need no slow hash."""
    return hashlib.sha256(_read(code).encode()).hexdigest()


def _read(code: str) -> str:
    """Return a code as it is compared: people write spaces, dashes and capitals."""
    return "".join(character for character in code.lower() if character.isalnum() and character.isascii())


def _name(user: User) -> str:
    return f"code of {user.pk}"


def lock(user: User) -> None:
    """Let two at once wait for each other. Call it in a transaction."""
    User.objects.select_for_update().get(pk=user.pk)
