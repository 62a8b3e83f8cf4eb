"""Says something that only DEBUG is meant to show."""

import logging
from typing import Any

from kiosk_locust import KioskUser, attach, events

attach()


@events.job_closed.add_listener
def say(**_: Any) -> None:
    logging.getLogger("kiosk_locust.talkative").debug("a detail")


class Kiosk(KioskUser):
    pass
