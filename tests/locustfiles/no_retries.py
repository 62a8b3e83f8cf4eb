"""A worker that waits for no master."""

import locust.runners

from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

locust.runners.CONNECT_TIMEOUT, locust.runners.CONNECT_RETRY_COUNT = 1, 1
attach()


class Kiosk(KioskUser):
    pass
