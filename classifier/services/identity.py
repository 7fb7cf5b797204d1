"""Whether it is really the user who sits at a browser that is signed in, asked before what cannot be taken back."""

from django.contrib.auth.models import User

from classifier.services.sign_in import count_try, forget_tries
from ml.errors import Refused


class WrongPassword(Refused):
    """Whoever sits at a computer that is signed in must not be able to do this."""

    def __init__(self) -> None:
        super().__init__("This is not your password.")


def has_password(user: User) -> bool:
    """Return whether the user can be asked for a password."""
    return user.has_usable_password()


def check_identity(user: User, password: str, *, address: str) -> None:
    """Check the password of somebody who is signed in. Raise WrongPassword, TooManyTries."""
    count_try(user.username, address)
    if has_password(user) and not user.check_password(password):
        raise WrongPassword
    forget_tries(user.username, address)
