#!/bin/sh
# A line of a Locust configuration file counts for any option whose name begins like it.
# locust 2.47.0: `user = 3` in locust.conf is `users = 3`, as is `use = 3`, without a word; an
# underscore (`run_time = 1`) is an error. So a slip is either taken or fatal, never ignored.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check locust==2.47.0 gevent==26.9.0
cat >locustfile.py <<'PY'
from locust import User, constant, events, task


class Idle(User):
    wait_time = constant(0.1)

    @task
    def nothing(self):
        pass


@events.init.add_listener
def show(environment, **_):
    print("users:", environment.parsed_options.num_users)
PY
for line in 'users = 3' 'user = 3' 'use = 3' 'run_time = 1'; do
    printf 'headless = true\nrun-time = 1s\n%s\n' "$line" >locust.conf
    code=0
    venv/bin/locust >out 2>&1 || code=$?
    echo "$line: exit code $code, $(grep -m 1 -E '^users:|unrecognized' out)"
    echo "$code $(grep -m 1 '^users:' out || true)" >>seen
done
printf '0 users: 3\n0 users: 3\n0 users: 3\n2 \n' | cmp - seen
echo "as described"
