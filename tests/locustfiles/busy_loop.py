"""Work in the process that lets no greenlet run: 0.3 s of every 0.35 s."""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust import events

from kiosk_locust import KioskUser, attach

attach()


def work() -> None:
    while True:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        gevent.sleep(0.05)


def begin(**_: Any) -> None:
    gevent.spawn(work)


events.test_start.add_listener(begin)


class Kiosk(KioskUser):
    pass
