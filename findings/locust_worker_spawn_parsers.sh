#!/bin/sh
# A Locust worker builds a whole argument parser for each option that its master sends.
# locust 2.47.0: every `spawn` message carries all options, and the worker asks anew for the names of
# Locust's own ones for each of them. A locustfile with 100 options of its own makes 156 parsers
# a message: 0.4 s of CPU in the worker, at the start and at each change of users.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check locust==2.47.0 gevent==26.9.0
cat >locustfile.py <<'PY'
import time

from locust import User, argument_parser, constant, events, task

OWN = 100
calls, cpu_s = 0, 0.0
default_args_dict = argument_parser.default_args_dict


def counted():
    global calls, cpu_s
    began = time.process_time()
    names = default_args_dict()
    calls, cpu_s = calls + 1, cpu_s + time.process_time() - began
    return names


argument_parser.default_args_dict = counted


class Idle(User):
    wait_time = constant(1)

    @task
    def nothing(self):
        pass


@events.init_command_line_parser.add_listener
def add(parser):
    for number in range(OWN):
        parser.add_argument(f"--own-{number}", default="")


@events.test_start.add_listener
def show(environment, **_):
    if hasattr(environment.runner, "client_id") and calls:
        print(f"{calls} parsers, {cpu_s:.2f} s of CPU", flush=True)
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/locust --worker --master-host 127.0.0.1 --master-port "$port" >worker 2>&1 &
venv/bin/locust --headless --master --master-bind-host 127.0.0.1 --master-bind-port "$port" \
    --expect-workers 1 -u 1 -t 2 >master 2>&1
wait
line=$(grep -m 1 parsers worker)
echo "a worker's first spawn message, with 100 options of the locustfile's own: $line"
test "${line%% *}" -gt 100
echo "as described"
