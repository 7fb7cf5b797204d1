"""A whole site tells a collector: the request and the jobs of several processes are one trace."""

from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.datasets import coloured_pictures, make_zip
from tests.http_server import QuietHandler, serving
from tests.site import Site

pytestmark = [pytest.mark.site, pytest.mark.slow]


def test_request_and_its_jobs_are_one_trace(tmp_path: Path, prepared: Path) -> None:
    told: list[tuple[str, str]] = []  # name and trace
    keys: set[str | None] = set()

    class Collector(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            keys.add(self.headers["Authorization"])
            if self.path == "/v1/traces":
                message = ExportTraceServiceRequest.FromString(body)
                spans = [span for one in message.resource_spans for scope in one.scope_spans for span in scope.spans]
                told.extend((span.name, span.trace_id.hex()) for span in spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Collector) as address:
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{address}/", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer k3y"}
        site = Site(tmp_path / "data", prepared=prepared, EMBED_WORKERS="1", WEB_WORKERS="1", **where).start()
        try:
            owner = site.client("owner")
            slug = owner.ok("POST", "/projects", {"name": "Traced"})["slug"]
            archive = [("file", "colours.zip", make_zip(coloured_pictures(10)))]
            owner.succeed(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
            site.wait(lambda: any(name == "job ingest" for name, _ in told), 30)
        finally:
            site.stop()
    assert keys == {"Bearer k3y"}
    [trace] = {trace for name, trace in told if name == "job ingest"}
    assert [name.split()[0] for name, found in told if found == trace and not name.startswith("job ")] == ["POST"]
