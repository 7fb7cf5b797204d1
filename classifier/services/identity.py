"""Whether it is really the user who sits at a browser that is signed in, asked before what cannot be taken back."""

import time

from django.contrib.auth.models import User

from classifier.services.directories import is_of_directory, is_password_of_directory
from classifier.services.sign_in import count_try, forget_tries
from ml.errors import Refused

RECENT_SECONDS = 600


class WrongPassword(Refused):
    """Whoever sits at a computer that is signed in must not be able to do this."""

    def __init__(self) -> None:
        super().__init__("This is not your password.")


class SignInAgain(Refused):
    """Whoever has no password shows who they are by signing in."""

    def __init__(self) -> None:
        super().__init__("You signed in some time ago. Sign out and in again, and come back here.")


def has_password(user: User) -> bool:
    """Return whether the user can be asked for a password."""
    return user.has_usable_password() or is_of_directory(user)


def check_identity(user: User, password: str, *, address: str, signed_in_at: float) -> None:
    """Check the password of somebody who is signed in; of whoever has none, that they came a short time ago.

    Raise WrongPassword, SignInAgain, TooManyTries.

    Args:
        signed_in_at: when this browser was signed in, in seconds since 1970; 0 if that is unknown.
    """
    if not has_password(user):
        if time.time() - signed_in_at > RECENT_SECONDS:
            raise SignInAgain
        return
    count_try(user.username, address)
    if not user.check_password(password) and not is_password_of_directory(user, password):
        raise WrongPassword
    forget_tries(user.username, address)
