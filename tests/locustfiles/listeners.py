"""One listener writes down every record that it is told of, another one raises."""

from pathlib import Path
from typing import Any

from kiosk_locust import KioskUser, Record, attach, events

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
