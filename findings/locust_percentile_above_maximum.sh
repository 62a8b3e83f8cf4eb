#!/bin/sh
# In Locust's statistics a percentile may lie above the maximum.
# locust 2.47.0 keeps response times to two significant digits up to 10 s and in whole seconds
# above, half to even, but the maximum exactly: requests of 14.999 s have a 99th percentile of 15
# s and a maximum of 14.999 s, and 10.5 s counts as 10 s.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check locust==2.47.0 gevent==26.9.0
"$work/venv/bin/python" - <<'EOF'
from locust.stats import RequestStats

for value, percentile in [(14_999, 15_000), (10_500, 10_000), (11_500, 12_000), (1_449, 1_400), (149, 150)]:
    stats = RequestStats()
    stats.log_request("GET", "a", 1, 0)
    stats.log_request("GET", "a", value, 0)
    entry = stats.get("a", "GET")
    read = entry.get_response_time_percentile(0.99)
    print(f"{value} ms: p99 {read} ms, maximum {entry.max_response_time} ms")
    assert read == percentile and entry.max_response_time == value
EOF
echo "as described"
