#!/bin/sh
# A listener that stops its user keeps the listeners after it from hearing of the request.
# locust 2.47.0: what a listener raises is logged, and the next one is called; but StopUser (and
# StopTest, RescheduleTask, InterruptTaskSet) passes through `fire`, as it is meant to. A "stop this
# user at its first failure" and, added after it, a log of all requests: the log lacks every failure.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check locust==2.47.0 gevent==26.9.0
cat >locustfile.py <<'PY'
from locust import User, constant, events, task
from locust.exception import StopUser

before, after = [], []


class Checked(User):
    wait_time = constant(0.1)

    @task
    def ask(self):
        for error in (None, ValueError("refused")):
            self.environment.events.request.fire(
                request_type="GET", name="/", response_time=1, response_length=0, exception=error, context={}
            )


@events.request.add_listener
def log_before(exception, **_):
    before.append(exception is not None)


@events.request.add_listener
def stop_at_failure(exception, **_):
    if exception:
        raise StopUser


@events.request.add_listener
def log_after(exception, **_):
    after.append(exception is not None)


@events.quitting.add_listener
def show(**_):
    for name, failed in (("before", before), ("after", after)):
        print(f"the log {name} it: {failed.count(False)} requests and {failed.count(True)} failures")
    assert before.count(True) > 0 == after.count(True) and before.count(False) == after.count(False)
PY
venv/bin/locust --headless -u 2 -t 2 >out 2>&1 || true
grep '^the log' out
grep -q '^the log after it: [0-9]* requests and 0 failures' out
! grep -q AssertionError out
echo "as described"
