"""An OpenTelemetry collector is told of requests and jobs, each in the trace of the request that it belongs to."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.contextvars import bound_contextvars

from poetsweb import tracing
from poetsweb.logs import TRAFFIC

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
Say = Callable[..., list[ReadableSpan]]


@pytest.fixture
def say() -> Iterator[Say]:
    """Show lines of the log to what tells the collector, and return what that gets."""
    got = InMemorySpanExporter()
    tell = tracing.start("http://collector.example", exporter=got)

    def show(event: str, logger: str = TRAFFIC, **line: Any) -> list[ReadableSpan]:
        merged = structlog.contextvars.merge_contextvars(None, "info", {"event": event, "logger": logger, **line})
        assert tell(None, "info", dict(merged)) == merged
        tracing.flush()
        return list(got.get_finished_spans())

    yield show
    tracing._running.pop().shutdown()


def request(**line: Any) -> dict[str, Any]:
    about = {"view": "project", "method": "GET", "status": 200, "milliseconds": 12.5, "request_id": TRACE_ID}
    return {**about, **line}


def job(**line: Any) -> dict[str, Any]:
    return {"job": 17, "kind": "train", "seconds": 2.0, "request_id": TRACE_ID, **line}


def test_request_is_a_span_whose_trace_has_its_id(say: Say) -> None:
    [span] = say("request", **request(user=3))
    assert span.name == "GET project"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert span.parent is None
    assert span.kind == SpanKind.SERVER
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "project",
        "poetsweb.request": TRACE_ID,
        "enduser.id": "3",
    }
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 12_500_000
    assert abs(span.end_time - time.time_ns()) < 60e9
    assert span.resource.attributes["service.name"] == "poetsweb"


@pytest.mark.parametrize("request_id", [TRACE_ID, "from-a-proxy-1", TRACE_ID.upper()])
def test_job_belongs_to_the_request_that_asked_for_it(say: Say, request_id: str) -> None:
    asked, done = say("request", **request(request_id=request_id)) and say("job_left", **job(request_id=request_id))
    assert asked.context is not None
    assert done.context is not None
    assert done.parent is not None
    assert (done.name, done.kind) == ("job train", SpanKind.CONSUMER)
    assert done.context.trace_id == asked.context.trace_id
    assert done.parent.span_id == asked.context.span_id != done.context.span_id


def test_request_continues_the_trace_of_its_caller(say: Say) -> None:
    request_id = f"{TRACE_ID}-b7ad6b7169203331"
    asked, done = say("request", **request(request_id=request_id)) and say("job_left", **job(request_id=request_id))
    assert asked.context is not None
    assert asked.parent is not None
    assert f"{asked.context.trace_id:032x}" == f"{asked.parent.trace_id:032x}" == TRACE_ID
    assert f"{asked.parent.span_id:016x}" == "b7ad6b7169203331"
    assert done.parent is not None
    assert done.parent.span_id == asked.context.span_id != asked.parent.span_id


def test_job_that_nobody_asked_for_is_a_trace_of_its_own(say: Say) -> None:
    one, other = say("job_left", **job(request_id="")) and say("job_left", **job(request_id=""))
    assert one.context is not None
    assert other.context is not None
    assert one.parent is None
    assert one.context.trace_id != other.context.trace_id


@pytest.mark.parametrize(
    ("event", "line", "end", "code"),
    [
        ("job_ended", {"status": "SUCCEEDED"}, "succeeded", StatusCode.UNSET),
        ("job_ended", {"status": "CANCELLED"}, "cancelled", StatusCode.UNSET),
        ("job_failed", {}, "failed", StatusCode.ERROR),
        ("job_let_go", {}, "open", StatusCode.UNSET),
    ],
)
def test_span_of_a_job_tells_how_it_ended(say: Say, event: str, line: dict[str, str], end: str, code: Any) -> None:
    with bound_contextvars(job=17):
        say(event, logger="classifier.jobs.lifecycle", job=17, **line)
        say("job_failed", logger="classifier.jobs.lifecycle", job=18)  # another, which is looked after here
        [span] = say("job_left", **job())
    assert span.attributes is not None
    assert span.attributes["poetsweb.job.status"] == end
    assert span.status.status_code == code


@pytest.mark.parametrize(
    ("status", "code"), [(404, StatusCode.UNSET), (500, StatusCode.ERROR), (503, StatusCode.ERROR)]
)
def test_only_what_fails_on_our_side_is_an_error(say: Say, status: int, code: StatusCode) -> None:
    [span] = say("request", **request(status=status))
    assert span.status.status_code == code


def test_other_lines_and_what_open_pages_ask_for_are_not_told(say: Say) -> None:
    assert not say("request", **request(view="live"))
    assert not say("request", **request(view="static"))
    assert not say("request", logger="somebody.else", **request())
    assert not say("job_queued", **job())
    assert not say("outage", logger="worker.run", **job())
