"""Webhooks: addresses of programs that are told when a job has ended."""

from datetime import datetime
from typing import Any, Literal

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status

from classifier.access import SignedIn
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.models import Webhook
from classifier.services import notices

router = Router()


class WebhookIn(Input):
    address: str = Field(max_length=2000, description="https://…, on the public internet")


class WebhookOut(Schema):
    id: int
    address: str
    created_at: datetime


class NewWebhookOut(WebhookOut):
    secret: str = Field(description="shown only once; it signs the messages, see docs/webhooks.md")


class DeliveryOut(Schema):
    id: int
    event: Literal["job.ended", "test"]
    job: int | None
    status: Literal["waiting", "sent", "failed"]
    tries: int
    answer: str = Field(description="what came of the last try, in words")
    next_try_at: datetime | None = Field(description="while it waits")
    created_at: datetime


@router.get("/webhooks", response={200: list[WebhookOut], **errors(422)})
def list_webhooks(request: SignedIn) -> Any:
    """List your webhooks."""
    return request.user.webhooks.all()


@router.post("/webhooks", response={201: NewWebhookOut, **errors(400, 409, 413, 422)})
def add_webhook(request: SignedIn, payload: WebhookIn) -> Any:
    """Add a webhook. The answer is the only place that shows its secret."""
    return Status(201, notices.add_webhook(request.user, payload.address))


@router.delete("/webhooks/{webhook_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def remove_webhook(request: SignedIn, webhook_id: int) -> Any:
    """Remove a webhook. Nothing more is sent to it."""
    notices.remove_webhook(_find(request, webhook_id))
    return Status(204, None)


@router.post("/webhooks/{webhook_id}/test", response={202: DeliveryOut, **errors(400, 404, 409, 413, 422)})
def test_webhook(request: SignedIn, webhook_id: int) -> Any:
    """Send a test message, once."""
    return Status(202, _present(notices.request_test(_find(request, webhook_id))))


@router.get("/webhooks/{webhook_id}/deliveries", response={200: list[DeliveryOut], **errors(404, 422)})
def list_deliveries(request: SignedIn, webhook_id: int) -> Any:
    """List the last fifty messages to a webhook, the newest first."""
    return [_present(delivery) for delivery in _find(request, webhook_id).deliveries.all()[:50]]


def _find(request: SignedIn, webhook_id: int) -> Webhook:
    found: Webhook = get_object_or_404(request.user.webhooks, pk=webhook_id)
    return found


def _present(delivery: Any) -> dict[str, Any]:
    names = ("event", "status", "tries", "answer", "created_at")
    waits = delivery.status == delivery.Status.WAITING
    return {
        "id": delivery.pk,
        "job": delivery.job_id,
        "next_try_at": delivery.next_try_at if waits else None,
        **{name: getattr(delivery, name) for name in names},
    }
