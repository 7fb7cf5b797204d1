"""The ids that a log can be searched for: of the request, the job and the user, from the first line to the last."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.test import Client

from classifier.jobs import sending
from classifier.jobs.kinds import EMBED, TRAIN
from classifier.models import Job, Project
from classifier.services.accounts import create_api_key
from classifier.workers import record_worker
from poetsweb.logs import TRAFFIC, logging_config, make_formatter
from worker.run import run_job


class Lines(list[dict[str, Any]]):
    """What a collector has read of the log."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.read() if line["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Log as JSON, as `LOG_JSON` has it."""
    stream, before = io.StringIO(), structlog.get_config()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(make_formatter(logging_config(json=True)))
    root, traffic = logging.getLogger(), logging.getLogger(TRAFFIC)
    level = traffic.level
    root.addHandler(handler)
    traffic.setLevel(logging.INFO)
    yield Lines(stream)
    traffic.setLevel(level)
    root.removeHandler(handler)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("sane", ["abc-123", "0af7651916cd43dd8448eb211c80319c", "a" * 64])
def test_id_that_a_proxy_gave_is_kept(db: None, client: Client, sane: str) -> None:
    assert client.get("/sign-in", headers={"X-Request-ID": sane})["X-Request-ID"] == sane


@pytest.mark.parametrize("strange", ["", "a" * 65, "a b", 'x","user":1', "ä", "a\tb"])
def test_strange_id_is_replaced(db: None, client: Client, strange: str) -> None:
    answer = client.get("/sign-in", headers={"X-Request-ID": strange})
    assert len(answer["X-Request-ID"]) == 32
    assert answer["X-Request-ID"] != client.get("/sign-in")["X-Request-ID"]


PARENT = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


@pytest.mark.parametrize("traceparent", [f"00-{PARENT}-01", f"00-{PARENT}-00", f"cc-{PARENT}-09-what-will-be-later"])
def test_part_of_a_trace_is_named_after_it(db: None, client: Client, settings: Any, traceparent: str) -> None:
    headers = {"traceparent": traceparent, "X-Request-ID": "of-the-proxy"}
    assert client.get("/sign-in", headers=headers)["X-Request-ID"] == "of-the-proxy"  # nobody is told of traces
    settings.TRACING = True
    assert client.get("/sign-in", headers=headers)["X-Request-ID"] == PARENT


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        PARENT,
        f"00-{PARENT}",
        f"ff-{PARENT}-01",
        f"00-{PARENT.upper()}-01",
        f"00-{PARENT}-01\t",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        f"00-{PARENT}-1",
        f"00{PARENT}01",
        f"00-{PARENT}-01-what-version-00-has-not",
    ],
)
def test_strange_trace_is_passed_over(db: None, client: Client, settings: Any, traceparent: str) -> None:
    settings.TRACING = True
    headers = {"traceparent": traceparent, "X-Request-ID": "of-the-proxy"}
    assert client.get("/sign-in", headers=headers)["X-Request-ID"] == "of-the-proxy"


def test_every_line_of_a_request_has_its_id_and_user(
    lines: Lines, project: Project, owner: User, as_owner: Client
) -> None:
    as_owner.get(project.get_absolute_url(), headers={"X-Request-ID": "first"})
    as_owner.get("/projects/nowhere/", headers={"X-Request-ID": "second"})
    _, key = create_api_key(owner, "test")
    headers = {"X-Request-ID": "third", "Authorization": f"Bearer {key}"}
    Client().get("/api/v1/projects", headers=headers)
    Client().get("/sign-in", headers={"X-Request-ID": "fourth"})
    told = [(line["request_id"], line["status"], line.get("user")) for line in lines.of("request")]
    assert told == [
        ("first", 200, owner.pk),
        ("second", 404, owner.pk),
        ("third", 200, owner.pk),
        ("fourth", 200 if User.objects.exists() else 302, None),
    ]
    (refused,) = [line for line in lines.read() if line["logger"] == "django.request"]
    assert refused["request_id"] == "second"
    assert refused["timestamp"].endswith("Z")


def test_log_names_no_address_that_may_hold_a_token(lines: Lines, db: None, client: Client) -> None:
    client.get("/share/t0ken-s3cret")
    assert "t0ken" not in str(lines.of("request"))


def test_job_has_the_id_of_its_request_until_the_last_worker(
    lines: Lines, filled: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = create_api_key(owner, "test")
    record_worker("all@here", ["ingest", "embed", "train"])
    headers = {"X-Request-ID": "asked-1", "Authorization": f"Bearer {key}"}
    address = f"/api/v1/projects/{filled.slug}/train"
    assert Client().post(address, {}, content_type="application/json", headers=headers).status_code < 300
    job = Job.objects.get(kind="train")
    structlog.contextvars.clear_contextvars()  # the worker is another process
    say = structlog.get_logger("work")

    def work(job: Job) -> None:
        logging.getLogger("library").warning("deep_inside")
        sending.queue_children(job, EMBED, configs=[{"backbone": "testing", "images": [], "units": 0}])
        say.warning("hello")

    monkeypatch.setattr("worker.train.train", work)
    run_job(job.pk)
    monkeypatch.setattr("worker.embed.embed", lambda job: say.warning("part"))
    run_job(Job.objects.get(parent=job).pk)
    for event in ("job_taken", "deep_inside", "hello", "job_left"):
        line = lines.of(event)[0]
        assert (line["job"], line["user"], line["request_id"]) == (job.pk, owner.pk, "asked-1"), event
    assert [line["request_id"] for line in lines.of("job_queued")] == ["asked-1"]
    assert lines.of("part")[0]["request_id"] == "asked-1"
    assert lines.of("part")[0]["job"] != job.pk


def test_ids_of_one_job_are_not_in_lines_of_the_next(
    lines: Lines, project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sending.queue_job(TRAIN, project=project, by=owner)
    monkeypatch.setattr("worker.train.train", lambda job: None)
    run_job(job.pk)
    structlog.get_logger("work").warning("afterwards")
    assert "job" not in lines.of("afterwards")[0]
