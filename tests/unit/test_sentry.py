"""Sentry is told of errors and of nothing else: what it gets is looked at as it would travel."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog

from poetsweb import sentry
from poetsweb.logs import hide_secrets, logging_config
from poetsweb.version import VERSION

DSN = "https://key@sentry.example/1"


class Wire(sentry_sdk.transport.Transport):
    """Keep what would be sent."""

    sent: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent += [item.get_event() for item in envelope.items if item.get_event()]


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """Log as a site with SENTRY_DSN does, and give what Sentry gets."""
    Wire.sent = []
    before = structlog.get_config()
    config = logging_config(json=True, tell=[sentry.start(DSN, hide_secrets, transport=Wire)])
    formatter = config["formatters"]["line"]
    handler = logging.StreamHandler(io.StringIO())
    kind = formatter.pop("()")
    handler.setFormatter(kind(**formatter))
    root = logging.getLogger("sentry-test")
    root.addHandler(handler)
    root.propagate = False
    yield Wire.sent
    root.removeHandler(handler)
    structlog.configure(**before)
    sentry_sdk.get_client().close()
    sentry_sdk.init()


def fail(password: str = "correct-horse-9") -> None:
    raise ValueError(f"It is in /s/abc123 and at https://x.example/?key=secret{len(password)}")


def test_an_error_of_ours_goes_with_its_ids_and_without_secrets(sent: list[dict[str, Any]]) -> None:
    log = structlog.get_logger("sentry-test").bind(request_id="r-1", job=17, user=3)
    try:
        fail()
    except ValueError:
        log.exception("job_failed")
    [event] = sent
    assert event["release"] == VERSION
    assert event["tags"] | {"request_id": "r-1", "job": "17", "event": "job_failed"} == event["tags"]
    assert event["user"] == {"id": "3"}
    [error] = event["exception"]["values"]
    assert (error["type"], "key=…" in error["value"], "/s/…" in error["value"]) == ("ValueError", True, True)
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    written = json.dumps(event, default=str)
    for secret in ("secret15", "abc123", "correct-horse-9", "key@"):
        assert secret not in written


def test_an_error_of_a_library_goes_too(sent: list[dict[str, Any]]) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("sentry-test").exception("Internal Server Error: %s", "/s/abc123")
    [event] = sent
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["tags"]["event"] == "Internal Server Error: /s/…"


def test_a_line_without_an_exception_goes_as_a_message(sent: list[dict[str, Any]]) -> None:
    structlog.get_logger("sentry-test").error("disk_full", path="/private/anna.jpg")
    [event] = sent
    assert (event["message"], event["level"]) == ("disk_full", "error")
    assert "anna" not in json.dumps(event, default=str)


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_less_than_an_error_does_not_go(sent: list[dict[str, Any]], level: str) -> None:
    getattr(structlog.get_logger("sentry-test"), level)("request")
    getattr(logging.getLogger("sentry-test"), level)("request")
    assert sent == []
