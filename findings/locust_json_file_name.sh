#!/bin/sh
# Locust's --json-file adds .json to a name that ends in .json.
# locust 2.47.0: `--json-file result.json` writes result.json.json; --html keeps its name, and
# --csv takes a prefix. Whoever reads the named file afterwards finds none.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check locust==2.47.0 gevent==26.9.0
cat >locustfile.py <<'PY'
from locust import User, constant, task


class Idle(User):
    wait_time = constant(0.1)

    @task
    def nothing(self):
        pass
PY
venv/bin/locust --headless -t 1s --json-file result.json --html report.html >out 2>&1
ls ./*.json ./*.json.json ./*.html 2>/dev/null | sort -u
[ ! -e result.json ] && [ -e result.json.json ] && [ -e report.html ]
echo "as described"
