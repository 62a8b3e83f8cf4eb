"""One listener writes down every record that it is told of, another one raises."""

from pathlib import Path
from typing import Any

from kiosk_locust import events
from kiosk_locust.model.record import Record
from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

attach()


@events.job_closed.add_listener
def write_down(record: Record, **_: Any) -> None:
    with Path("told.txt").open("a") as file:
        file.write(f"{record.job_id} {record.outcome}\n")


@events.job_closed.add_listener
def raise_something(**_: Any) -> None:
    raise RuntimeError("not my day")


class Kiosk(KioskUser):
    pass
