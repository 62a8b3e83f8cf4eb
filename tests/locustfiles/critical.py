"""A listener that numbers depend on breaks at the tenth job that is closed."""

from typing import Any

from kiosk_locust import KioskUser, Record, attach, events

attach()
closed: list[str] = []


def count(record: Record, **_: Any) -> None:
    closed.append(record.job_id)
    if len(closed) == 10:
        raise RuntimeError("lost count")


events.job_closed.add_listener(count, critical=True)


class Kiosk(KioskUser):
    pass
