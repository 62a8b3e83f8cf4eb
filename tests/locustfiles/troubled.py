"""Jobs named after their tickets, on a machine whose clock and name service can be broken.

Files in the working directory say so: ``clock-back`` puts the wall clock back by an hour, and while
there is a ``dns-down``, no name is found. The host ``kiosk.test`` is this machine.
"""

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent

from kiosk_locust import JobRequest, KioskUser, Ticket, attach

HOUR_S = 3600.0
CLOCK_BACK, DNS_DOWN = Path("clock-back"), Path("dns-down")

true_time = time.time
true_resolver = gevent.get_hub().resolver


def stepped() -> float:
    """What the wall clock says."""
    return true_time() - (HOUR_S if CLOCK_BACK.exists() else 0.0)


class Resolver:
    """The name service."""

    def getaddrinfo(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        if DNS_DOWN.exists():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        host = "127.0.0.1" if host in ("kiosk.test", b"kiosk.test") else host
        return true_resolver.getaddrinfo(host, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(true_resolver, name)


time.time = stepped
gevent.get_hub().resolver = Resolver()
attach()


class Named(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        name = f"{ticket.cycle}-{ticket.number}.tif"
        return replace(default, image_name=name, uploaded_name=f"uploads/{name}")
