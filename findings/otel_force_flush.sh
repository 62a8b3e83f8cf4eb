#!/bin/sh
# force_flush of OpenTelemetry's BatchSpanProcessor takes no notice of its timeout.
# opentelemetry-sdk 1.45.2: force_flush(100), in milliseconds, with an exporter that takes 3 s,
# returns after 3 s, and says True, as if that had been in time.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2
"$work/venv/bin/python" - <<'EOF'
import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


class Slow(SpanExporter):
    def export(self, spans):
        time.sleep(3)
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Slow()))
provider.get_tracer("demo").start_span("a span").end()
began = time.monotonic()
answer = provider.force_flush(100)
took_s = time.monotonic() - began
print(f"force_flush(100): {answer} after {took_s:.1f} s")
assert answer is True
assert took_s > 2.5
EOF
echo "as described"
