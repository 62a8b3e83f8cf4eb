#!/bin/sh
# prometheus_client chooses the exposition format by what is named, not by its weight.
# prometheus_client 0.26.0: of 'text/plain;q=0.9, application/openmetrics-
# text;version=1.0.0;q=0.1' it serves OpenMetrics, and q=0 (never) makes no difference.
# OpenMetrics 0.0.1 alone, which Prometheus servers up to 2.x also name, gives plain text.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client==0.26.0
"$work/venv/bin/python" - <<'EOF'
from prometheus_client.exposition import choose_encoder

for accept, expected in [
    ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1", "application/openmetrics-text"),
    ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0", "application/openmetrics-text"),
    ("application/openmetrics-text;version=0.0.1", "text/plain"),
]:
    _, content_type = choose_encoder(accept)
    print(accept, "->", content_type)
    assert content_type.startswith(expected)
EOF
echo "as described"
