"""Sending a mail."""

import structlog
from django.core.mail import send_mail

log = structlog.get_logger(__name__)


def send(address: str, subject: str, *paragraphs: str) -> bool:
    """Send a mail, and return whether the server took it."""
    try:
        send_mail(subject, "\n\n".join(paragraphs), None, [address])
    except OSError as error:  # smtplib's errors are such
        log.warning("mail_not_sent", subject=subject, error=str(error))
        return False
    return True
