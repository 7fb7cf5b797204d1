"""Mails with links that visitors ask for: written down here, and sent by a job.

Whoever asks learns nothing about who has an account: what a request leads to is decided when the mail is sent (see
`requested_mails`).
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from classifier.models import MailRequest, SignUp
from classifier.services.notices import send_soon
from ml.errors import Unavailable, UserError

HOUR = timedelta(hours=1)
MOST_TO_ADDRESS = 3  # mails an hour; more would only annoy whoever gets them
MOST_FROM_ADDRESS = 20  # requests an hour: a class may sit behind one address
RETRY_MINUTES = (0.2, 1, 5, 30)  # until what could not be sent is tried again; then it is given up
KEPT = timedelta(days=1)
AT_ONCE = 1000


class NoMail(Unavailable):
    """Nothing can be sent."""

    def __init__(self) -> None:
        super().__init__("This site sends no mails. Ask its administrator.")


class TooManyRequests(UserError):
    """So many mails were asked for from one place that more have to wait."""

    status = 429

    def __init__(self) -> None:
        super().__init__("Too many mails were asked for from where you are. Please try again in an hour.")


def add_request(kind: MailRequest.Kind, email: str, *, asked_from: str, sign_up: SignUp | None = None) -> None:
    """Write down a request, and have it dealt with. Raise NoMail, TooManyRequests."""
    if not settings.MAIL_IS_SET_UP:
        raise NoMail
    email = email.strip().lower()
    recent = MailRequest.objects.filter(created_at__gt=timezone.now() - HOUR)
    if recent.filter(asked_from=asked_from).count() >= MOST_FROM_ADDRESS:
        raise TooManyRequests
    # What is too much for the address is written down all the same, to count and to take as long as the others.
    is_sent = recent.filter(email=email).count() < MOST_TO_ADDRESS
    with transaction.atomic():
        due = timezone.now() if is_sent else None
        MailRequest.objects.create(kind=kind, email=email, sign_up=sign_up, asked_from=asked_from, next_try_at=due)
        send_soon()


def settle(request: MailRequest, *, is_sent: bool) -> None:
    """Note that a request has been dealt with, or when to try again."""
    again = None
    if not is_sent and request.tries < len(RETRY_MINUTES):
        again = timezone.now() + timedelta(minutes=RETRY_MINUTES[request.tries])
    MailRequest.objects.filter(pk=request.pk).update(next_try_at=again, tries=request.tries + 1)


def look_after_requests() -> None:
    """Have sent what is due again, and delete what was asked for long ago. For the reaper."""
    if MailRequest.objects.filter(next_try_at__lte=timezone.now()).exists():
        with transaction.atomic():
            send_soon()
    old = MailRequest.objects.filter(created_at__lt=timezone.now() - KEPT).values_list("pk", flat=True)[:AT_ONCE]
    if ids := list(old):
        MailRequest.objects.filter(pk__in=ids).delete()
