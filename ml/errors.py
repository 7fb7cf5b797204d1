"""Errors whose message was written for the user.

Whatever else is raised is our own fault, and is reported as that. The status is the one that the HTTP API answers with;
a job that ends with such an error shows its message, and a command prints it.
"""


class UserError(Exception):
    """Say in one sentence, to the user, what cannot be done and what would help."""

    status = 422


class Refused(UserError):
    """What was sent or asked for cannot be used; sending it again would change nothing."""


class Conflict(UserError):
    """It cannot be done in the state that things are in now."""

    status = 409


class Unavailable(UserError):
    """Something is missing or out of order that should be there; it may be back later."""

    status = 503


class ImportRefused(Refused):
    """A network that somebody brought along cannot be used."""


def first_line(error: BaseException) -> str:
    """Return what a library says is wrong, in one line of at most 200 characters."""
    lines = (line.strip() for line in str(error).splitlines())
    # TensorFlow begins with headings and with places in our own code.
    saying = (line for line in lines if line and not line.endswith(":") and not line.startswith('File "'))
    return next(saying, type(error).__name__)[:200]
