"""A worker that waits for no master."""

import locust.runners

from kiosk_locust import KioskUser, attach

locust.runners.CONNECT_TIMEOUT, locust.runners.CONNECT_RETRY_COUNT = 1, 1
attach()


class Kiosk(KioskUser):
    pass
