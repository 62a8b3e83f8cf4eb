"""Users that fail at once, again and again: FAULT says how."""

import os
from typing import Any

from locust import TaskSet, User, constant, tag, task
from locust import events as locust_events
from locust.exception import RescheduleTaskImmediately

from kiosk_locust import JobRequest, KioskUser, Ticket, attach, events

attach()
FAULT = os.environ.get("FAULT", "")


class Trap(TaskSet):
    """Lets nobody out."""

    @task
    def fail(self) -> None:
        raise RuntimeError("no way out")


class Kiosk(KioskUser):
    if FAULT == "no way out":
        tasks = [Trap] * 20

    def __init__(self, environment: Any) -> None:
        if FAULT == "__init__":
            raise RuntimeError("cannot be made")
        super().__init__(environment)

    def on_start(self) -> None:
        if FAULT == "on_start":
            raise RuntimeError("cannot start")

    def wait_time(self) -> float:
        if FAULT == "wait_time":
            raise RuntimeError("cannot wait")
        return 0.0

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        if FAULT == "request" and ticket.id:
            raise RuntimeError("cannot ask")
        return default


if FAULT in ("task", "reschedule", "tagged", "interrupt"):

    class Beside(User):
        wait_time = constant(0)

        @tag("beside")
        @task
        def fail(self) -> None:
            if FAULT == "reschedule":
                raise RescheduleTaskImmediately
            if FAULT != "tagged":
                raise RuntimeError("fails at once")


def listen(**_: Any) -> None:
    if FAULT == "listeners":
        raise RuntimeError("cannot listen")


events.job_status.add_listener(listen)
locust_events.request.add_listener(listen)
