"""Listeners to Locust's request event: LISTENER says which."""

import csv
import os
from pathlib import Path
from typing import Any

from locust import events, task
from locust.contrib.csv_request_logger import CsvRequestLogger
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser

from kiosk_locust import KioskUser, attach

attach()
LISTENER = os.environ["LISTENER"]
RAISED = {
    "StopUser": StopUser,
    "RescheduleTask": RescheduleTask,
    "RescheduleTaskImmediately": RescheduleTaskImmediately,
    "InterruptTaskSet": InterruptTaskSet,
}
calls: list[str] = []
if LISTENER == "csv":
    log = CsvRequestLogger("requests.csv")

    def register(environment: Environment, **_: Any) -> None:
        log.register(environment)

    events.init.add_listener(register)


if LISTENER == "documented":

    def on_request(
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        response: Any,
        context: dict[str, Any],
        exception: Exception | None,
        start_time: float,
        url: str,
        **_: Any,
    ) -> None:
        status, length, kind = (
            response.status_code,
            len(response.text),
            response.headers["Content-Type"],
        )
        row = (request_type, name, response_length, status, length, kind, url, start_time)
        more = (context.get("user"), exception, response.ok, response.url)
        with Path("told.csv").open("a", newline="") as file:
            csv.writer(file).writerow((*row, *more))

    events.request.add_listener(on_request)


if LISTENER in RAISED:

    def raise_it(name: str, **_: Any) -> None:
        calls.append(name)
        if name == "/api/predict" and calls.count(name) <= 3:
            raise RAISED[LISTENER]

    events.request.add_listener(raise_it)


class Kiosk(KioskUser):
    def context(self) -> dict[str, Any]:
        return {"user": type(self).__name__}

    def on_stop(self) -> None:
        if LISTENER in RAISED:
            with Path("stopped").open("a") as file:
                file.write(f"{len(calls)}\n")


if LISTENER == "task":

    class WithTask(KioskUser):
        @task
        def other(self) -> None:
            pass
