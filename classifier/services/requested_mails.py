"""Sending the mails that visitors have asked for."""

from collections.abc import Callable

from django.utils import timezone

from classifier.models import MailRequest
from classifier.services.domain_sign_up import send_link
from classifier.services.forgotten_passwords import send_password_links
from classifier.services.mail_requests import settle

AT_ONCE = 100
SENDERS: dict[str, Callable[[MailRequest], bool]] = {
    MailRequest.Kind.PASSWORD: send_password_links,
    MailRequest.Kind.SIGN_UP: send_link,
}


def send_due(alive: Callable[[], None]) -> None:
    """Send the mails that are due; `alive` is called before each and stops the work if it raises."""
    due = MailRequest.objects.filter(next_try_at__lte=timezone.now()).select_related("sign_up")
    for request in due[:AT_ONCE]:
        alive()
        settle(request, is_sent=SENDERS[request.kind](request))
