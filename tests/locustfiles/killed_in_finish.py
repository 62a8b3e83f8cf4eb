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
from kiosk_locust.assembly.finalize_steps.state import Finalization, Step, StepResult

attach()
KILL_AT = os.environ.get("KILL_AT", "")
COPIES_TO = os.environ.get("COPIES_TO", "")


def come_to(point: str) -> None:
    if COPIES_TO:
        shutil.copytree(Path.cwd(), Path(COPIES_TO) / point.replace(" ", "-"))
    if point == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)


def watched(step: Step) -> Step:
    @functools.wraps(step)
    def wrapped(state: Finalization) -> StepResult:
        if step.__name__ == "record_end":
            come_to("closed")
        result = step(state)
        come_to(f"{step.__name__} returned")
        return result

    return wrapped


recorded = finalize.recorded


def watched_record(name: str, state: Finalization) -> Finalization:
    state = recorded(name, state)
    come_to(f"{name} recorded")
    return state


if KILL_AT or COPIES_TO:
    finalize.STEPS = tuple(map(watched, finalize.STEPS))
    finalize.LAST_STEPS = tuple(map(watched, finalize.LAST_STEPS))
    finalize.recorded = watched_record


class Kiosk(KioskUser):
    pass
