"""Sending a mail."""

import structlog
from django.core.mail import send_mail

log = structlog.get_logger(__name__)


def send(address: str, subject: str, *paragraphs: str) -> bool:
    """Send a mail, and return whether the server took it."""
    try:
        send_mail(subject, "\n\n".join(paragraphs), None, [address])
    except (OSError, ValueError) as error:  # smtplib's errors, and an address that cannot be written to
        log.warning("mail_not_sent", subject=subject, error=str(error))
        return False
    return True
