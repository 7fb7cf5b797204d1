"""Tell an OpenTelemetry collector of each request and each job: how long it took, where, and what it belongs to.

The log is the only source, so no address, header, picture or name of a person, project or class goes there. A request
and the jobs that it has asked for, on whichever machines, are one trace: its id follows from that of the request, which
says the caller's trace and span where the request is a part of one.
"""

import atexit
import hashlib
import re
import socket
import time
from typing import Any

import structlog

from poetsweb.logs import TRAFFIC
from poetsweb.version import VERSION

UNTOLD = ("live", "static")  # what open pages ask for all the time
DELAY_MILLISECONDS = 1000  # until spans are sent, many at once
_IDS = re.compile(r"([0-9a-f]{32})(?:-([0-9a-f]{16}))?")  # of a trace, and of the span that is the caller's
_running: list[Any] = []  # the processors of this process


def start(endpoint: str, headers: str = "", exporter: Any = None) -> structlog.typing.Processor:
    """Connect to a collector, and return what tells it of the lines of requests and jobs.

    Args:
        endpoint: the address that takes OTLP over HTTP, without `/v1/traces`.
        headers: to send along, as `key=value,key=value`.
        exporter: another one, for tests.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.util.re import parse_env_headers

    if exporter is None:
        address = f"{endpoint.rstrip('/')}/v1/traces"
        exporter = OTLPSpanExporter(address, headers=parse_env_headers(headers, liberal=True))
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MILLISECONDS)
    _running.append(processor)
    atexit.register(processor.shutdown)
    about = {"service.name": "poetsweb", "service.version": VERSION, "host.name": socket.gethostname()}
    return _LineTracer(processor, Resource.create(about))


def flush(**_: Any) -> None:
    """Send what has not been sent yet, in a process that ends without the usual ceremony."""
    for processor in _running:
        processor.force_flush()


class _LineTracer:
    def __init__(self, processor: Any, resource: Any) -> None:
        self.processor, self.resource = processor, resource
        self.ends: dict[int, str] = {}  # how the jobs ended that this process works on

    def __call__(self, logger: Any, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event = line.get("event")
        if event in ("job_ended", "job_failed"):
            self._note_end(line)
        elif line.get("logger") == TRAFFIC and event == "request" and line["view"] not in UNTOLD:
            self._tell_request(line)
        elif line.get("logger") == TRAFFIC and event == "job_left":
            self._tell_job(line)
        return line

    def _note_end(self, line: structlog.typing.EventDict) -> None:
        """Remember how a job ended until its span does; those that others work on end elsewhere."""
        if structlog.contextvars.get_contextvars().get("job") == line.get("job"):
            self.ends[line["job"]] = str(line.get("status", "failed")).lower()

    def _tell_request(self, line: structlog.typing.EventDict) -> None:
        attributes = {
            "http.request.method": line["method"],
            "http.response.status_code": line["status"],
            "http.route": line["view"],
        }
        request_id = str(line.get("request_id", ""))
        self._send(line, f"{line['method']} {line['view']}", line["milliseconds"] / 1000, attributes, _root(request_id))

    def _tell_job(self, line: structlog.typing.EventDict) -> None:
        status = self.ends.pop(line["job"], "open")
        attributes = {"poetsweb.job": line["job"], "poetsweb.job.kind": line["kind"], "poetsweb.job.status": status}
        self._send(line, f"job {line['kind']}", line["seconds"], attributes)

    def _send(
        self, line: structlog.typing.EventDict, name: str, seconds: float, attributes: dict[str, Any], own: int = 0
    ) -> None:
        """Tell of what has just ended. `own` is the id of a span that others refer to."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        ids, request_id, ended = RandomIdGenerator(), str(line.get("request_id", "")), time.time_ns()
        trace, sampled = _trace(request_id) or ids.generate_trace_id(), TraceFlags(TraceFlags.SAMPLED)
        above = _caller(request_id) if own else _root(request_id) if request_id else 0
        parent = SpanContext(trace, above, True, sampled) if above else None
        about = {**attributes, "poetsweb.request": request_id, "enduser.id": str(line.get("user", ""))}
        failed = (
            attributes.get("http.response.status_code", 0) >= 500 or attributes.get("poetsweb.job.status") == "failed"
        )
        self.processor.on_end(
            ReadableSpan(
                name,
                SpanContext(trace, own or ids.generate_span_id(), False, sampled),
                parent,
                self.resource,
                attributes={key: value for key, value in about.items() if value != ""},
                kind=SpanKind.SERVER if own else SpanKind.CONSUMER,
                status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
                start_time=ended - round(seconds * 1e9),
                end_time=ended,
            )
        )


def _trace(request_id: str) -> int:
    """Return the id of the trace of a request, which is in its own id where that can be one; 0 without a request."""
    if not request_id:
        return 0
    found = _IDS.fullmatch(request_id)
    return int(found[1] if found else _digest(request_id)[:32], 16)


def _caller(request_id: str) -> int:
    """Return the id of the span in which somebody has sent a request; 0 where that is not known."""
    found = _IDS.fullmatch(request_id)
    return int(found[2] or "0", 16) if found else 0


def _root(request_id: str) -> int:
    """Return the id of the span of a request itself, which its jobs name wherever they run."""
    return int(_digest(f"span of {request_id}")[:16], 16)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
