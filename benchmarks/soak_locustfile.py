"""Jobs named after their tickets, in a process that notes every few seconds what it takes.

A line of JSON a sample goes to SOAK_SAMPLES: seconds since the first one, jobs closed, resident
memory (MiB), open files, threads, and greenlets that have begun and not ended.
"""

import gc
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from greenlet import greenlet  # type: ignore[import-untyped]  # it has no types

from kiosk_locust import JobRequest, KioskUser, Ticket, attach, events

EVERY_S = float(os.environ.get("SOAK_EVERY_S", "2"))
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20

closed = 0


def count(**_: Any) -> None:
    """One job more is closed."""
    global closed  # noqa: PLW0603  a counter
    closed += 1


def alive() -> int:
    """Greenlets that have begun and not ended."""
    return sum(isinstance(each, greenlet) and bool(each) for each in gc.get_objects())


def sample() -> None:
    """Note what the process takes, for ever."""
    begun = time.monotonic()
    with Path(os.environ["SOAK_SAMPLES"]).open("a") as file:
        while True:
            resident = int(Path("/proc/self/statm").read_text().split()[1])
            line = {
                "at_s": time.monotonic() - begun,
                "closed": closed,
                "memory": resident * PAGE_MIB,
                "files": len(os.listdir("/proc/self/fd")),
                "threads": len(os.listdir("/proc/self/task")),
                "greenlets": alive(),
            }
            file.write(json.dumps(line) + "\n")
            file.flush()
            gevent.sleep(EVERY_S)


attach()
events.job_closed.add_listener(count)
gevent.spawn(sample)


class Named(KioskUser):
    """Submits under the ticket's own name, so that the server's log tells which it is."""

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        """A file for each ticket."""
        name = f"{ticket.cycle}-{ticket.number}.tif"
        return replace(default, image_name=name, uploaded_name=f"uploads/{name}")
