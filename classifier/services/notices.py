"""Telling people and programs that a job has ended: mails, and signed messages to webhooks.

The reaper looks for jobs that have ended and queues what is to be sent; a job sends it, and sends it again with growing
pauses where that fails. What is sent to an address that a user chose goes through the guard that keeps it on the public
internet.
"""

import hashlib
import hmac
import json
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from classifier.jobs.kinds import KINDS, NOTIFY
from classifier.jobs.sending import queue_job
from classifier.models import Delivery, Job, MailWish, Webhook
from classifier.services.audit_log import record
from ml.errors import Conflict, Refused, UserError
from ml.model_import.deadline import Deadline
from ml.model_import.fetching import open_guarded

log = structlog.get_logger(__name__)

MOST_WEBHOOKS = 10  # of a user
MOST_MAILS, HOUR = 20, timedelta(hours=1)  # to a user in that time
KEPT_DELIVERIES = 50  # of a webhook, and of the mails of a user
RETRY_MINUTES = (0.2, 1, 5, 30, 120, 360)  # until what could not be sent is tried again; then it is given up
SENT_AT_ONCE = 100
TIMEOUT = 10  # seconds, for the whole of an answer
TURN_SECONDS = 5.0  # after which it is the turn of the next user's messages
JOB_ENDED, TEST = "job.ended", "test"
SIGNATURE, TIMESTAMP, EVENT, DELIVERY = (f"PoetsWeb-{name}" for name in ("Signature", "Timestamp", "Event", "Delivery"))


class BadAddress(Refused):
    """The message says what addresses can be used."""


class TooManyWebhooks(Conflict):
    """The user has as many as are allowed."""

    def __init__(self) -> None:
        super().__init__(f"You have {MOST_WEBHOOKS} webhooks already. Remove one first.")


class TestWaits(Conflict):
    """A test of the webhook has not been sent yet."""

    def __init__(self) -> None:
        super().__init__("A test message is on its way already. Wait a moment for it.")


def add_webhook(user: User, address: str) -> Webhook:
    """Add a webhook with a secret of its own. Raise BadAddress, TooManyWebhooks."""
    address = address.strip()
    _check_address(address)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two at once must not be one too many
        if user.webhooks.count() >= MOST_WEBHOOKS:
            raise TooManyWebhooks
        record("webhook.added", urlsplit(address).hostname, by=user)  # what follows may be secret
        return Webhook.objects.create(user=user, address=address, secret=f"whsec_{secrets.token_urlsafe(32)}")


def remove_webhook(webhook: Webhook) -> None:
    """Remove a webhook. Nothing more is sent to it."""
    webhook.delete()
    record("webhook.removed", urlsplit(webhook.address).hostname, by=webhook.user)


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and len(address) <= 2000
        parts.port  # noqa: B018 - raises ValueError for a port that is no number
    except ValueError:
        fits = False
    if not fits or any(character.isspace() or not character.isprintable() for character in address):
        raise BadAddress("Give the address of a program on the web: https://…")
    if "@" in parts.netloc:
        raise BadAddress("An address that contains a user name or password cannot be used; each message is signed.")


def request_test(webhook: Webhook) -> Delivery:
    """Queue a message that shows whether messages arrive. Raise TestWaits, and DoesNotExist if the webhook is gone."""
    with transaction.atomic():
        Webhook.objects.select_for_update().get(pk=webhook.pk)  # two clicks at once are one test
        if webhook.deliveries.filter(event=TEST, status=Delivery.Status.WAITING).exists():
            raise TestWaits
        delivery = _queue(webhook.user, {"event": TEST, "sent_at": timezone.now().isoformat()}, webhook=webhook)
        send_soon()
    return delivery


def set_mails(user: User, *, address: str, wanted: bool) -> None:
    """Set where mails about jobs go, and whether there are any."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk).exclude(email=address).update(email=address):
            record("email.changed", user.username, by=user)
        MailWish.objects.update_or_create(user=user, defaults={"wants_mails": wanted})


def tell_ends() -> None:
    """Queue messages about the jobs that have ended, and send what is due. For the reaper."""
    for job in Job.objects.filter(untold=True).select_related("project", "created_by").order_by("pk")[:SENT_AT_ONCE]:
        _tell(job)
    if Delivery.objects.filter(status=Delivery.Status.WAITING, next_try_at__lte=timezone.now()).exists():
        with transaction.atomic():
            send_soon()


@transaction.atomic
def _tell(job: Job) -> None:
    user = job.created_by
    if Job.objects.filter(pk=job.pk, untold=True).update(untold=False) != 1 or user is None:
        return
    # None is the mail. A webhook that is removed meanwhile must not undo all of this.
    receivers: list[Webhook | None] = [*user.webhooks.select_for_update()]
    wish = MailWish.objects.filter(user=user, wants_mails=True).exists()
    if settings.MAIL_IS_SET_UP and wish and user.email and not _has_many_mails(user):
        receivers.append(None)
    if receivers:  # otherwise the job's address would load all pages and the API into the reaper, which takes seconds
        body = describe_end(job)
        for webhook in receivers:
            _queue(user, body, webhook=webhook, job=job)


def _has_many_mails(user: User) -> bool:
    """Return whether a user was sent so many mails that more would only annoy: nobody knows whose address it is."""
    return user.deliveries.filter(webhook=None, created_at__gt=timezone.now() - HOUR).count() >= MOST_MAILS


def describe_end(job: Job) -> dict[str, Any]:
    """Return what a message says of a job that has ended."""
    return {
        "event": JOB_ENDED,
        "job": {
            "id": job.pk,
            "number": job.number,
            "project": job.project.slug if job.project else None,
            "project_name": job.project.name if job.project else None,
            "kind": job.kind,
            "title": KINDS[job.kind].title if job.kind in KINDS else job.kind,
            "status": job.status,
            "error": job.error,
            "model_version": job.result.get("model_version"),
            "created_at": job.created_at.isoformat(),
            "finished_at": job.finished_at.isoformat() if job.finished_at else None,
            "url": f"{settings.SITE_ORIGIN}{job.get_absolute_url()}",
        },
    }


def _queue(user: User, body: dict[str, Any], *, webhook: Webhook | None, job: Job | None = None) -> Delivery:
    old = Delivery.objects.filter(user=user, webhook=webhook).order_by("-pk")[KEPT_DELIVERIES - 1 :]
    kept = Delivery.objects.filter(pk__in=list(old.values_list("pk", flat=True)))
    kept.exclude(status=Delivery.Status.WAITING).delete()
    return Delivery.objects.create(
        user=user, webhook=webhook, job=job, event=body["event"], body=body, next_try_at=timezone.now()
    )


def send_soon() -> None:
    """Queue the job that sends what is due, unless it is queued. Call it in a transaction."""
    if not Job.objects.filter(kind=NOTIFY.name, status__in=Job.OPEN).exists():
        Job.objects.filter(kind=NOTIFY.name).exclude(status__in=Job.OPEN).delete()  # nobody looks at them
        queue_job(NOTIFY, project=None, by=None)


def send_due(alive: Callable[[], None]) -> None:
    """Send what is due; `alive` is called before each and stops the work if it raises."""
    due = Delivery.objects.filter(status=Delivery.Status.WAITING, next_try_at__lte=timezone.now())
    users = due.order_by().values_list("user").annotate(first=Min("next_try_at")).order_by("first")
    for user, _ in list(users):
        _send_those_of(due.filter(user=user), alive)


def _send_those_of(due: QuerySet[Delivery], alive: Callable[[], None]) -> None:
    """Send the messages of a user for some seconds; what is left is due in the next round, after everybody else."""
    until = time.monotonic() + TURN_SECONDS
    for delivery in due.select_related("webhook", "user").order_by("next_try_at")[:SENT_AT_ONCE]:
        alive()
        error = _send(delivery)
        _record(delivery, error)
        if time.monotonic() > until:
            return


def _send(delivery: Delivery) -> str:
    """Send a message, and return what went wrong, or nothing."""
    try:
        if delivery.webhook is None:
            _send_mail(delivery)
        else:
            _post(delivery, delivery.webhook)
    except urllib.error.HTTPError as error:
        error.close()
        return f"It answered with status {error.code}."
    except UserError as error:
        return str(error)
    except (OSError, HTTPException, ValueError) as error:  # smtplib's errors are OSErrors
        return _describe_failure(getattr(error, "reason", error))
    return ""


def _describe_failure(error: object) -> str:
    """Say why nothing answered, without what the system says, which may tell of networks."""
    if isinstance(error, socket.gaierror):
        return "There is no machine of this name."
    if isinstance(error, TimeoutError):
        return "It did not answer in time."
    if isinstance(error, ConnectionRefusedError):
        return "Nothing listens there."
    return "It could not be reached."


def _record(delivery: Delivery, error: str) -> None:
    tries = delivery.tries + 1
    values: dict[str, Any] = {"tries": tries, "answer": error[:200] or "It was accepted."}
    if not error:
        values["status"] = Delivery.Status.SENT
    elif tries > len(RETRY_MINUTES) or delivery.event == TEST:
        values["status"] = Delivery.Status.FAILED
    else:
        values["next_try_at"] = timezone.now() + timedelta(minutes=RETRY_MINUTES[tries - 1])
    Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.WAITING).update(**values)
    log.info("notice", delivery=delivery.pk, error=error)


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header that proves who has sent a message: of its time and its body."""
    return f"v1={hmac.new(secret.encode(), f'{timestamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _post(delivery: Delivery, webhook: Webhook) -> None:
    body, now = json.dumps(delivery.body).encode(), int(time.time())
    headers = {
        "Content-Type": "application/json",
        EVENT: delivery.event,
        DELIVERY: str(delivery.pk),
        TIMESTAMP: str(now),
        SIGNATURE: sign(webhook.secret, now, body),
    }
    request = urllib.request.Request(webhook.address, body, headers, method="POST")  # noqa: S310 - checked when added
    private = settings.ML.fetch_private_addresses
    with (
        Deadline(TIMEOUT) as deadline,
        open_guarded(request, allow_private=private, redirects=False, timeout=TIMEOUT, deadline=deadline) as answer,
    ):
        if not 200 <= answer.status < 300:
            raise Refused(f"It answered with status {answer.status}.")


def _send_mail(delivery: Delivery) -> None:
    job = delivery.body["job"]
    ended = {"SUCCEEDED": "is done", "FAILED": "has failed", "CANCELLED": "was cancelled"}[job["status"]]
    about = f"{job['title']} of {job['project_name']}" if job["project_name"] else job["title"]
    lines = [f"{about} {ended}.", job["error"], job["url"], "You can turn these mails off on the page “Notifications”."]
    text = "\n\n".join(line for line in lines if line)
    send_mail(" ".join(f"{about} {ended}".split()), text, None, [delivery.user.email])
