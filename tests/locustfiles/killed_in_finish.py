"""Kills its own process (SIGKILL) at one point of a run's finish, or copies its files at each.

A point is ``STEP returned``, before the ledger says that the step is complete, or
``STEP recorded``, after it; ``closed`` is before the first step. KILL_AT names the one to be killed
at. With COPIES_TO the folder is copied at each point instead, as a kill would have left it there.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
from pathlib import Path

from kiosk_locust import KioskUser, attach
from kiosk_locust.assembly import finalize

attach()
KILL_AT = os.environ.get("KILL_AT", "")
COPIES_TO = os.environ.get("COPIES_TO", "")


def come_to(point: str) -> None:
    if COPIES_TO:
        shutil.copytree(Path.cwd(), Path(COPIES_TO) / point.replace(" ", "-"))
    if point == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)


def watched(step: finalize.Step) -> finalize.Step:
    @functools.wraps(step)
    def wrapped(on: finalize.Finish) -> bool:
        if step.__name__ == "record_end":
            come_to("closed")
        is_complete = step(on)
        come_to(f"{step.__name__} returned")
        return is_complete

    return wrapped


complete = finalize.Finish.complete


def completed(self: finalize.Finish, name: str) -> None:
    complete(self, name)
    come_to(f"{name} recorded")


if KILL_AT or COPIES_TO:
    finalize.STEPS = tuple(map(watched, finalize.STEPS))
    finalize.LAST_STEPS = tuple(map(watched, finalize.LAST_STEPS))
    finalize.Finish.complete = completed  # type: ignore[method-assign]


class Kiosk(KioskUser):
    pass
