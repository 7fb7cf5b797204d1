"""Sending the mails that visitors have asked for."""

from collections.abc import Callable

from django.utils import timezone

from classifier.models import MailRequest
from classifier.services.forgotten_passwords import send_password_links
from classifier.services.mail_requests import settle

AT_ONCE = 100
SENDERS: dict[str, Callable[[MailRequest], bool]] = {MailRequest.Kind.PASSWORD: send_password_links}


def send_due(alive: Callable[[], None]) -> None:
    """Send the mails that are due; `alive` is called before each and stops the work if it raises."""
    for request in MailRequest.objects.filter(next_try_at__lte=timezone.now())[:AT_ONCE]:
        alive()
        settle(request, is_sent=SENDERS[request.kind](request))
