"""Code that ends the test: HOW says by what, WHERE in which place, at its third call there."""

import os
from collections.abc import Callable
from typing import Any

import gevent
from locust import events as locust_events
from locust import task
from locust.env import Environment
from locust.exception import StopTest

from kiosk_locust import JobRequest, KioskUser, Ticket, attach, events

attach()
HOW, WHERE = os.environ["HOW"], os.environ["WHERE"]
FIRST = int(os.environ.get("AT_CALL", "3"))
environments: list[Environment] = []
calls: list[str] = []


def keep(environment: Environment, **_: Any) -> None:
    environments.append(environment)


locust_events.init.add_listener(keep)


def end() -> None:
    calls.append(WHERE)
    if len(calls) != FIRST:
        return
    environment = environments[0]
    runner = environment.runner
    assert runner is not None
    if HOW == "code 7":
        environment.process_exit_code = 7
    if HOW in ("quit", "code 7"):
        runner.quit()
    elif HOW == "stop":
        runner.stop()
    elif HOW == "exit":
        raise SystemExit
    elif HOW == "exit 3":
        raise SystemExit(3)
    elif HOW == "interrupt":
        raise KeyboardInterrupt
    elif HOW == "StopTest":
        raise StopTest("enough")
    else:
        raise gevent.GreenletExit


def listen(name: str, add: Callable[..., Any]) -> None:
    if name == WHERE:
        add(lambda **_: end())


for hook in (events.job_submitted, events.job_status, events.job_closed, events.run_closed):
    listen(hook.name, hook.add_listener)
for name in ("request", "test_start", "test_stopping", "test_stop", "quitting"):
    listen(name, getattr(locust_events, name).add_listener)


class Kiosk(KioskUser):
    def on_start(self) -> None:
        if WHERE == "on_start":
            end()

    def on_stop(self) -> None:
        if WHERE == "on_stop":
            end()

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        if WHERE == "KioskUser.request" and ticket.id:
            end()
        return default


class WithTask(KioskUser):
    @task(50)
    def other(self) -> None:
        if WHERE == "task":
            end()
        gevent.sleep(0.05)
