"""The first account, which becomes the administrator's: on a site that others reach, for whoever reads its log."""

import base64
import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from classifier.models import SetUpCode
from classifier.services.accounts import NotAllowed
from classifier.services.audit_log import record

FIRST_VISIT_LOCK = 4_202_611  # any number that nothing else locks


class WrongCode(NotAllowed):
    """The set-up code is not the one that the log shows."""

    def __init__(self) -> None:
        super().__init__("This is not the code that the log shows. “manage.py set_up_code” shows it again.")


def site_is_empty() -> bool:
    """Return whether there is no account yet, so that the next visitor creates the administrator."""
    return not User.objects.exists()


def asks_for_code() -> bool:
    """Return whether the first account needs the code: where strangers could come first."""
    return bool(settings.EXPOSED) and site_is_empty()


def current_code() -> str:
    """Return the code, the same for every process of the site until it has been used."""
    row, _ = SetUpCode.objects.get_or_create(pk=1, defaults={"nonce": secrets.token_hex(16)})
    digest = salted_hmac("poetsweb.set_up_code", row.nonce, algorithm="sha256").digest()
    code = base64.b32encode(digest[:10]).decode()
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def create_administrator(username: str, password: str, code: str = "") -> User:
    """Create the first account. Of two visitors at once, only one succeeds.

    Raise NotAllowed if there is an account, and WrongCode if the code is needed and this is another.
    """
    with transaction.atomic():
        _one_at_a_time()
        if not site_is_empty():
            raise NotAllowed("This site already has an administrator. Please sign in.")
        if settings.EXPOSED and not constant_time_compare(_read_code(code), _read_code(current_code())):
            raise WrongCode
        SetUpCode.objects.all().delete()
        user = User.objects.create_superuser(username=username, password=password)
        record("user.signed_up", username, by=user, administrator=True)
        return user


def _read_code(text: str) -> str:
    """Return a code as it is compared: people leave out dashes, and write small letters."""
    return "".join(character for character in text.upper() if character.isalnum())


def _one_at_a_time() -> None:
    """Lock out others until the transaction ends. On SQLite its BEGIN IMMEDIATE has done this already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_VISIT_LOCK])
