"""A worker that misses its master sooner than Locust's minute."""

from locust import runners

from kiosk_locust import KioskUser, attach

runners.MASTER_HEARTBEAT_TIMEOUT = 4
attach()


class Kiosk(KioskUser):
    pass
