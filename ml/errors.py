"""Define the errors whose message was written for the user.

Any other exception is a bug, and is reported as one. `status` is the HTTP status that the API answers with; a job that
ends with such an error shows its message, and a command prints it.
"""

import re

# A path of two parts or more, as libraries put it into their messages. Names in a graph do not begin with a slash.
_PATH = re.compile(r"(?<![\w.:/])/(?:[\w.@+~%-]+/)+[\w.@+~%-]*")


class UserError(Exception):
    """An error that tells the user in one sentence what cannot be done and what would help."""

    status = 422


class Refused(UserError):
    """The input or request cannot be used; sending it again would change nothing."""


class Conflict(UserError):
    """The request cannot be carried out in the current state of things."""

    status = 409


class Unavailable(UserError):
    """Something that should be there is missing or out of order; it may be back later."""

    status = 503


class ImportRefused(Refused):
    """A network that somebody uploaded or linked to cannot be used."""


def first_line(error: BaseException) -> str:
    """Return what a library says is wrong, in one line of at most 200 characters and without paths of this machine."""
    lines = (line.strip() for line in str(error).splitlines())
    # TensorFlow begins with headings and with places in our own code.
    saying = (line for line in lines if line and not line.endswith(":") and not line.startswith('File "'))
    return _PATH.sub("…", next(saying, type(error).__name__))[:200]
