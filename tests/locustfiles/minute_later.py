"""A run whose gevent believes that a minute is over as soon as there is a file ``minute``."""

import time
import types
from pathlib import Path

import gevent.os

from kiosk_locust import KioskUser, attach

attach()


def later() -> float:
    return time.time() + 61 * Path("minute").exists()


gevent.os.time = types.SimpleNamespace(time=later)


class Kiosk(KioskUser):
    pass
