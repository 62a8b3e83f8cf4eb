"""Locust as a library: WAY says how the program makes its Environment."""

from __future__ import annotations

import os
import sys

import gevent
import locust
from locust import HttpUser, User, constant, task
from locust.argument_parser import get_parser
from locust.env import Environment

from kiosk_locust import KioskUser, attach

WAY = os.environ["WAY"]


class Kiosk(KioskUser):
    """Submits what the settings say."""


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def look(self) -> None:
        self.client.get("/api/health-check")


if WAY != "not attached":
    attach()
classes: list[type[User]] = [Kiosk, Visitor] if WAY == "beside" else [Kiosk]
if WAY == "init":
    environment = Environment(user_classes=classes, events=locust.events)
elif WAY == "parsed":
    options = get_parser(default_config_files=[]).parse_args(["--count", "3"])
    environment = Environment(user_classes=classes, events=locust.events, parsed_options=options)
elif WAY == "host":
    environment = Environment(user_classes=classes, host=os.environ["HOST_FOR_PROGRAM"])
else:
    environment = Environment(user_classes=classes)
runner = environment.create_local_runner()
if WAY in ("init", "parsed"):
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
runner.start(4, spawn_rate=20)
if WAY == "quit":
    gevent.spawn_later(2, runner.quit)
runner.greenlet.join()
sys.exit(environment.process_exit_code)
