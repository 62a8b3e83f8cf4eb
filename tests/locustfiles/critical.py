"""A listener that numbers depend on breaks at the tenth job that is closed."""

from typing import Any

from kiosk_locust import events
from kiosk_locust.model.record import Record
from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

attach()
closed: list[str] = []


def count(record: Record, **_: Any) -> None:
    closed.append(record.job_id)
    if len(closed) == 10:
        raise RuntimeError("lost count")


events.job_closed.add_listener(count, critical=True)


class Kiosk(KioskUser):
    pass
