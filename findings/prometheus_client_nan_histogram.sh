#!/bin/sh
# One NaN observed makes a histogram's sum NaN for ever while its count does not move.
# prometheus_client 0.26.0: observe(nan) falls into no bucket, not even +Inf; _count (which is the
# +Inf bucket) stays, _sum becomes NaN and stays NaN whatever comes later. So
# rate(sum)/rate(count) is gone until the process restarts, and the count does not show why.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client==0.26.0
"$work/venv/bin/python" - <<'EOF'
import math

from prometheus_client import CollectorRegistry, Histogram

registry = CollectorRegistry()
duration = Histogram("job_seconds", "Durations.", buckets=(1, 2), registry=registry)
duration.observe(0.5)
duration.observe(math.nan)
duration.observe(1.5)
count = registry.get_sample_value("job_seconds_count")
total = registry.get_sample_value("job_seconds_sum")
print("count", count, "sum", total)
assert count == 2 and math.isnan(total)
EOF
echo "as described"
