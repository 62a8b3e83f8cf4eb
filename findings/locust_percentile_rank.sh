#!/bin/sh
# Locust's percentiles are one rank above the nearest-rank definition, where that is a whole number.
# locust 2.47.0: of the response times 1, 2, ... 100 ms the 50th, 90th, 95th and 99th percentile
# are 51, 91, 96 and 100; by nearest rank (the smallest value that so many per cent do not exceed)
# they are 50, 90, 95 and 99. Of 10 values the median is the 6th.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check locust==2.47.0 gevent==26.9.0
"$work/venv/bin/python" - <<'EOF'
from locust.stats import RequestStats

stats = RequestStats()
for value in range(1, 101):
    stats.log_request("GET", "a", value, 0)
for value in range(1, 11):
    stats.log_request("GET", "b", value, 0)
hundred, ten = stats.get("a", "GET"), stats.get("b", "GET")
read = [hundred.get_response_time_percentile(share) for share in (0.5, 0.9, 0.95, 0.99)]
print("of 1 to 100 ms:", read, "ms; median of 1 to 10:", ten.median_response_time)
assert read == [51, 91, 96, 100] and ten.median_response_time == 6
EOF
echo "as described"
