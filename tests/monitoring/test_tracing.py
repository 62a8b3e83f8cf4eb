"""Jobs as spans, as a collector receives them from a real run with --otel."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.real import Locust, simulator

try:
    from opentelemetry.exporter.otlp.proto import http as _http  # noqa: F401  all that is needed
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )
except ImportError:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip("no OpenTelemetry: pip install kiosk-locust[otel]", allow_module_level=True)


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Give the URL of a collector of traces over HTTP, and the spans that it was sent."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                found = ExportTraceServiceRequest.FromString(body)
                for resource in found.resource_spans:
                    for scope in resource.scope_spans:
                        if scope.scope.name == "kiosk_locust":
                            spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
    finally:
        server.shutdown()
        server.server_close()


def told(span: Any) -> dict[str, Any]:
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes
    }


def test_a_collector_gets_each_job_as_a_span_with_its_stages(tmp_path: Path) -> None:
    with simulator("--predict-s=0.5") as kiosk, collector() as (url, spans):
        finished = Locust(
            tmp_path, "--otel", "-u", "5", "-r", "20",
            host=kiosk.url,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
        ).finish()  # fmt: skip
        lives = kiosk.lives
    assert finished.code == 0, finished.output
    assert "--otel:" not in finished.output  # nothing is missing
    jobs = {told(span)["kiosk.job_id"]: span for span in spans if not span.parent_span_id}
    assert jobs.keys() == lives.keys()
    assert len(jobs) == 5
    for job_id, span in jobs.items():
        said = told(span)
        assert span.name == "JOB segmentation"
        assert said["kiosk.outcome"] == "done"
        assert said["kiosk.duration_s"] == pytest.approx(
            next(j["duration_s"] for j in finished.jobs if j["job_id"] == job_id), abs=1e-6
        )
        assert said["kiosk.stage.download_s"] == pytest.approx(0.01, abs=0.01)
        children = [c for c in spans if c.parent_span_id == span.span_id]
        names = [child.name for child in sorted(children, key=lambda c: c.start_time_unix_nano)]
        assert names[0] == "submit"
        assert names[-1] == "status done"
        assert all(
            span.start_time_unix_nano <= c.start_time_unix_nano <= c.end_time_unix_nano
            <= span.end_time_unix_nano
            for c in children
        )  # fmt: skip
