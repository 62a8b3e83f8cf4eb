"""Jobs whose process notes what it has used by a number of ended jobs; for profile_job.py.

``PROFILED`` is ``ours``, or ``bare``: a FastHttpUser that does the least possible and keeps
nothing. ``MARKS`` are numbers of jobs, comma-joined: at each, a line of JSON goes to
``MARKS_FILE``.
"""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant, task
from locust.exception import StopUser

_MARKS = {int(text) for text in os.environ.get("MARKS", "").split(",") if text}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ended = 0


def count_job(**_: Any) -> None:
    """One more job has ended."""
    global _ended  # noqa: PLW0603  the whole state of a program
    _ended += 1
    if _ended in _MARKS:
        mark(_ended)


def mark(jobs: int) -> None:
    """Note processor time (s), of it the system's, memory (bytes) and the time (s)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    line = {
        "jobs": jobs,
        "cpu_s": used.ru_utime + used.ru_stime,
        "system_s": used.ru_stime,
        "resident": resident,
        "peak": used.ru_maxrss * 1024,
        "at": time.monotonic(),
    }
    with Path(os.environ["MARKS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if os.environ.get("PROFILED", "ours") == "ours":
    from kiosk_locust import KioskUser, attach, events

    attach()
    events.job_closed.add_listener(count_job)

    class Kiosk(KioskUser):
        """The plugin's own."""

else:
    _POLL_S = float(os.environ["POLL_S"])
    _JOBS = int(os.environ["JOBS"])
    _RATE = float(os.environ.get("RATE") or "inf")
    _USERS = int(os.environ["USERS"])
    _begun: list[float] = []  # the time of the first job

    class Bare(FastHttpUser):
        """Submits a job in its time, reads its status until it is final, has its hash expire."""

        wait_time = constant(0)
        _taken = 0

        @task
        def run_one_job(self) -> None:
            """The next job that nobody has taken."""
            number = Bare._taken
            if number >= _JOBS:
                raise StopUser
            Bare._taken += 1
            if not _begun:
                _begun.append(time.monotonic() + 1)
            gevent.sleep(max(0.0, _begun[0] + number / _RATE - time.monotonic()))
            post = self.client.post
            asked = {
                "jobType": "segmentation",
                "imageName": "a.png",
                "uploadedName": "uploads/a.png",
            }
            with post("/api/predict", json=asked, catch_response=True) as answer:
                key = answer.json()["hash"]
            status = ""
            while status not in ("done", "failed"):
                if _POLL_S:
                    gevent.sleep(_POLL_S)
                with post("/api/status", json={"hash": key}, catch_response=True) as answer:
                    status = answer.json()["status"]
            with post(
                "/api/redis/expire", json={"hash": key, "expireIn": 3600}, catch_response=True
            ):
                count_job()
            if _ended == _JOBS:
                gevent.spawn(self.environment.runner.quit)
