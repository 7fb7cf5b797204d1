"""A link to set a new password, mailed to whoever has the address."""

from django.contrib.auth.models import User

from classifier.models import MailRequest
from classifier.services import users
from classifier.services.audit_log import record
from classifier.services.mail_requests import add_request

MOST_ACCOUNTS = 10  # with one e-mail address, to which links are sent


def request_password_mail(email: str, *, asked_from: str) -> None:
    """Have a link to set the password sent to whoever has this address. Raise NoMail, TooManyRequests.

    It says nothing of whether somebody has.
    """
    add_request(MailRequest.Kind.PASSWORD, email, asked_from=asked_from)


def send_password_links(request: MailRequest) -> bool:
    """Send what was asked for; return whether that was possible, or there was nothing to send."""
    done = [_send_link(user, request) for user in _find_users(request.email)]
    return all(done)


def _find_users(email: str) -> list[User]:
    """List those who can be helped. Whoever signs in elsewhere has no password here, and gets none in this way."""
    found = User.objects.filter(email__iexact=email, is_active=True).order_by("pk")
    return [user for user in found[:MOST_ACCOUNTS] if user.has_usable_password()]


def _send_link(user: User, request: MailRequest) -> bool:
    """Send a link to the address that the account has, which may be written otherwise than the one that was typed."""
    if not users.mail_password_link(user, users.password_link(user)):
        return False
    record("password.mailed", user.username, asked_from=request.asked_from)
    return True
