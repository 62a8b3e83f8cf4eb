"""A shape: few users, many, and few again."""

import time

from locust import LoadTestShape

from kiosk_locust import KioskUser, attach

attach()
STARTED_AT = time.monotonic()


class UpAndDown(LoadTestShape):
    def tick(self) -> tuple[int, float]:
        age_s = time.monotonic() - STARTED_AT
        return (3 if age_s < 1.5 else 20 if age_s < 2.5 else 4), 100


class Kiosk(KioskUser):
    pass
