"""Mails and webhooks about jobs that have ended: who is told, what is sent, and what happens where that fails."""

import hashlib
import hmac
import json
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import EMBED, GET_READY, NOTIFY, TRAIN
from classifier.models import AuditEntry, Delivery, Job, Project, Webhook
from classifier.services import notices
from classifier.services.notices import BadAddress, TooManyWebhooks
from tests.http_server import QuietHandler, serving
from tests.unit.classifier.conftest import PASSWORD, remove_late
from worker.run import run_job


class Receiver(QuietHandler):
    """A program that keeps what it is sent, and answers as it is told to."""

    received: list[tuple[dict[str, str], bytes]] = []
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((dict(self.headers), body))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.ML = settings.ML.__class__(**{**vars(settings.ML), "fetch_private_addresses": True})
    settings.SITE_ORIGIN = "https://poets.example.org"


@pytest.fixture
def receiver() -> Any:
    Receiver.received, Receiver.status = [], 200
    with serving(Receiver) as address:
        yield address


def end_job(project: Project, by: User | None = None) -> Job:
    job = lifecycle.claim_job(sending.queue_job(TRAIN, project=project, by=by or project.owner).pk)
    assert job is not None
    lifecycle.finish_job(job)
    return job


def work() -> None:
    """Let the reaper look, and a worker send."""
    notices.tell_ends()
    for pk in Job.objects.filter(kind=NOTIFY.name, status="QUEUED").values_list("pk", flat=True):
        run_job(pk)


def later() -> None:
    Delivery.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))


def test_webhook_is_told_once_and_the_message_is_signed(project: Project, receiver: str) -> None:
    hook = notices.add_webhook(project.owner, receiver)
    job = end_job(project)
    work()
    work()
    ((headers, body),) = Receiver.received
    told = json.loads(body)
    assert told["event"] == headers["Poetsweb-Event"] == "job.ended"
    assert told["job"]["url"] == "https://poets.example.org/projects/colours/jobs/1/"
    assert (told["job"]["id"], told["job"]["status"], told["job"]["project_name"]) == (job.pk, "SUCCEEDED", "Colours")
    signed = headers["Poetsweb-Timestamp"].encode() + b"." + body
    expected = hmac.new(hook.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Poetsweb-Signature"] == f"v1={expected}"
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries, headers["Poetsweb-Delivery"]) == ("sent", 1, str(delivery.pk))


def test_failed_and_cancelled_jobs_are_told_of_too(project: Project, receiver: str) -> None:
    notices.add_webhook(project.owner, receiver)
    first, second = (sending.queue_job(TRAIN, project=project, by=project.owner) for _ in range(2))
    lifecycle.cancel_job(first)
    lifecycle.fail_job(second.pk, sentence="A picture is missing.")
    work()
    told = [json.loads(body)["job"] for _, body in Receiver.received]
    assert [(job["status"], job["error"]) for job in told] == [
        ("CANCELLED", ""),
        ("FAILED", "A picture is missing."),
    ]


def test_parts_background_and_other_peoples_jobs_are_not_told_of(
    project: Project, stranger: User, receiver: str
) -> None:
    notices.add_webhook(project.owner, receiver)
    background = lifecycle.claim_job(sending.queue_job(GET_READY, project=project, by=project.owner).pk)
    parent = lifecycle.claim_job(sending.queue_job(TRAIN, project=project, by=project.owner).pk)
    assert background is not None
    assert parent is not None
    (child,) = sending.queue_children(parent, EMBED, configs=[{}])
    part = lifecycle.claim_job(child.pk)
    assert part is not None
    lifecycle.finish_job(part)
    lifecycle.finish_job(background)
    end_job(project, by=stranger)
    work()
    assert Receiver.received == []
    assert not Job.objects.filter(untold=True).exists()


def test_end_that_nobody_wants_to_hear_of_is_not_described(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[Job] = []
    monkeypatch.setattr(notices, "describe_end", described.append)  # its address loads the API, which takes seconds
    end_job(project)
    work()
    assert described == []
    assert not Job.objects.filter(untold=True).exists()


def test_what_fails_is_sent_again_with_growing_pauses_then_given_up(project: Project, receiver: str) -> None:
    notices.add_webhook(project.owner, receiver)
    Receiver.status = 500
    end_job(project)
    pauses = []
    for _ in notices.RETRY_MINUTES:
        work()
        delivery = Delivery.objects.get()
        pauses.append((delivery.next_try_at - timezone.now()).total_seconds() / 60)
        later()
    assert pauses == pytest.approx(list(notices.RETRY_MINUTES), rel=0.1, abs=0.1)
    assert (delivery.status, delivery.answer) == ("waiting", "It answered with status 500.")
    work()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == ("failed", len(notices.RETRY_MINUTES) + 1)
    later()
    work()
    assert len(Receiver.received) == len(notices.RETRY_MINUTES) + 1


def test_message_comes_once_the_program_is_back(project: Project, receiver: str) -> None:
    notices.add_webhook(project.owner, receiver)
    Receiver.status = 503
    end_job(project)
    work()
    Receiver.status = 204
    work()
    assert len(Receiver.received) == 1, "it is too early"
    later()
    work()
    assert Delivery.objects.get().status == "sent"


class Dripper(QuietHandler):
    """A program that takes a byte's pause after each byte of its endless answer."""

    def do_POST(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        with suppress(OSError):
            while True:
                self.wfile.write(b"x")
                time.sleep(0.05)


def test_answer_that_drips_for_ever_is_cut_off(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "TIMEOUT", 0.5)
    with serving(Dripper) as address:
        notices.add_webhook(project.owner, address)
        end_job(project)
        begun = time.monotonic()
        work()
        assert time.monotonic() - begun < 5
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.answer) == ("waiting", "It did not answer in time.")


def test_slow_program_of_one_user_does_not_keep_the_messages_of_others(
    project: Project, stranger: User, receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "TURN_SECONDS", -1.0)  # each message takes longer than a turn
    monkeypatch.setattr(notices, "SENT_AT_ONCE", 3)
    slow = notices.add_webhook(stranger, "http://127.0.0.1:1/hook")
    for _ in range(9):
        end_job(project, by=stranger)
    notices.tell_ends()
    notices.tell_ends()
    notices.tell_ends()
    notices.add_webhook(project.owner, receiver)
    end_job(project)
    work()
    assert len(Receiver.received) == 1
    assert slow.deliveries.filter(tries=0).count() == 8, "they come in later rounds"


def test_only_one_test_waits(owner: User, as_owner: Client) -> None:
    hook = notices.add_webhook(owner, "https://example.org/")
    assert as_owner.post(f"/api/v1/webhooks/{hook.pk}/test").status_code == 202
    assert as_owner.post(f"/api/v1/webhooks/{hook.pk}/test").status_code == 409
    assert as_owner.post(reverse("webhook_test", args=[hook.pk])).status_code == 302
    assert hook.deliveries.count() == 1


@pytest.mark.parametrize("address", ["/account/notifications/{}/test", "/api/v1/webhooks/{}/test"])
def test_webhook_that_is_removed_in_this_moment_is_not_found(
    address: str, owner: User, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = notices.add_webhook(owner, "https://example.org/")
    remove_late(monkeypatch, notices, "request_test")
    answer = as_owner.post(address.format(hook.pk))
    assert answer.status_code == 404
    assert b"does not exist, or you do not have access" in answer.content


def test_nobody_can_be_flooded_with_mails(project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST_MAILS", 3)
    settings.MAIL_IS_SET_UP = True
    notices.set_mails(project.owner, address="somebody@example.org", wanted=True)
    for _ in range(5):
        end_job(project)
    work()
    assert len(mail.outbox) == 3
    Delivery.objects.update(created_at=timezone.now() - 2 * notices.HOUR)
    end_job(project)
    work()
    assert len(mail.outbox) == 4


def test_old_mails_are_forgotten(project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "KEPT_DELIVERIES", 2)
    settings.MAIL_IS_SET_UP = True
    notices.set_mails(project.owner, address="owner@example.org", wanted=True)
    for _ in range(4):
        end_job(project)
        work()
    assert (len(mail.outbox), Delivery.objects.count()) == (4, 2)


def test_redirects_are_not_followed(project: Project, receiver: str) -> None:
    notices.add_webhook(project.owner, receiver)
    Receiver.status = 302
    end_job(project)
    work()
    assert len(Receiver.received) == 1
    assert Delivery.objects.get().answer == "It answered with status 302."


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/", "http://10.0.0.1/"])
def test_private_addresses_are_never_asked(address: str, project: Project, settings: Any) -> None:
    settings.ML = settings.ML.__class__(**{**vars(settings.ML), "fetch_private_addresses": False})
    notices.add_webhook(project.owner, address)
    end_job(project)
    work()
    delivery = Delivery.objects.get()
    assert delivery.status == "waiting"
    assert "inside a private network" in delivery.answer


def test_program_that_does_not_listen(project: Project) -> None:
    notices.add_webhook(project.owner, "http://127.0.0.1:1/hook")
    end_job(project)
    work()
    assert Delivery.objects.get().answer == "Nothing listens there."


@pytest.mark.parametrize(
    "address", ["", "ftp://example.org", "https://", "https://a:b@example.org", "https://example.org:x", "https://a b"]
)
def test_address_that_cannot_be_used_is_refused(address: str, owner: User, as_owner: Client) -> None:
    with pytest.raises(BadAddress):
        notices.add_webhook(owner, address)
    assert as_owner.post(reverse("notifications"), {"webhook": "1", "address": address}).status_code == 422
    assert not Webhook.objects.exists()


def test_webhooks_of_a_user_are_bounded(owner: User) -> None:
    for _ in range(notices.MOST_WEBHOOKS):
        notices.add_webhook(owner, "https://example.org/")
    with pytest.raises(TooManyWebhooks):
        notices.add_webhook(owner, "https://example.org/")


def test_old_messages_go(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "KEPT_DELIVERIES", 3)
    hook = notices.add_webhook(owner, "https://example.org/")
    for _ in range(6):
        notices.request_test(hook)
        Delivery.objects.update(status="sent")
    assert Delivery.objects.count() == 3


def test_mail_goes_to_those_who_want_it(project: Project, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    end_job(project)
    work()
    notices.set_mails(project.owner, address="owner@example.org", wanted=True)
    work()
    assert mail.outbox == [], "the job had ended before"
    project.name = "Colours\nBcc: all@example.org"
    project.save()
    end_job(project)
    work()
    (sent,) = mail.outbox
    assert sent.to == ["owner@example.org"]
    assert sent.subject == "Training of Colours Bcc: all@example.org is done"
    assert "https://poets.example.org/projects/colours/jobs/2/" in sent.body


def test_no_mail_where_it_is_not_set_up(project: Project, as_owner: Client) -> None:
    notices.set_mails(project.owner, address="owner@example.org", wanted=True)
    end_job(project)
    work()
    assert mail.outbox == []
    assert "cannot send mails yet" in as_owner.get(reverse("notifications")).content.decode()
    as_owner.post(
        reverse("notifications"), {"mail": "1", "email": "x@example.org", "wanted": "on", "password": PASSWORD}
    )
    assert User.objects.get(pk=project.owner.pk).email == "owner@example.org"


def test_page_turns_mails_on_and_off(owner: User, as_owner: Client, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    page = reverse("notifications")
    assert as_owner.post(page, {"mail": "1", "wanted": "on"}).status_code == 422
    assert as_owner.post(page, {"mail": "1", "email": "no address", "wanted": "on"}).status_code == 422
    as_owner.post(page, {"mail": "1", "email": "ada@example.org", "wanted": "on", "password": PASSWORD})
    assert "checked" in as_owner.get(page).content.decode()
    as_owner.post(page, {"mail": "1", "email": "ada@example.org"})
    assert "checked" not in as_owner.get(page).content.decode()


def test_page_shows_a_secret_once_and_what_was_sent(owner: User, as_owner: Client, receiver: str) -> None:
    page = reverse("notifications")
    added = as_owner.post(page, {"webhook": "1", "address": receiver}).content.decode()
    hook = Webhook.objects.get()
    assert hook.secret in added
    assert hook.secret not in as_owner.get(page).content.decode()
    as_owner.post(reverse("webhook_test", args=[hook.pk]))
    work()
    assert "a test" in as_owner.get(page).content.decode()
    assert json.loads(Receiver.received[0][1])["event"] == "test"
    as_owner.post(reverse("webhook_remove", args=[hook.pk]))
    assert "You have no webhooks yet" in as_owner.get(page).content.decode()


def test_api(owner: User, as_owner: Client, receiver: str) -> None:
    made = as_owner.post("/api/v1/webhooks", {"address": receiver}, content_type="application/json")
    assert made.status_code == 201
    hook = made.json()
    assert hook["secret"].startswith("whsec_")
    assert "secret" not in as_owner.get("/api/v1/webhooks").json()[0]
    assert as_owner.post(f"/api/v1/webhooks/{hook['id']}/test").json()["status"] == "waiting"
    work()
    (delivery,) = as_owner.get(f"/api/v1/webhooks/{hook['id']}/deliveries").json()
    assert (delivery["status"], delivery["next_try_at"]) == ("sent", None)
    assert as_owner.delete(f"/api/v1/webhooks/{hook['id']}").status_code == 204


def test_address_is_changed_with_the_password_alone(owner: User, as_owner: Client, settings: Any) -> None:
    """Links to set a new password go to it: whoever sits at a browser that is signed in must not keep the account."""
    settings.MAIL_IS_SET_UP = True
    for password in ("", "wrong"):
        form = {"mail": "1", "email": "thief@example.org", "wanted": "on", "password": password}
        page = as_owner.post(reverse("notifications"), form)
        assert (page.status_code, 'id="id_password_error"' in page.content.decode()) == (422, True)
        owner.refresh_from_db()
        assert owner.email == ""
    form |= {"email": "owner@example.org", "password": PASSWORD}
    assert as_owner.post(reverse("notifications"), form).status_code == 302
    assert as_owner.post(reverse("notifications"), {"mail": "1", "email": "owner@example.org"}).status_code == 302
    owner.refresh_from_db()
    assert owner.email == "owner@example.org"
    assert AuditEntry.objects.filter(action="email.changed", user=owner).count() == 1
