"""A Kiosk of one job, in memory: what it answers, and when a call goes wrong instead."""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import dataclass, field

from tests.hostile.table import CALLS, EVER, ONCE, WHILE

PATHS = {
    "/api/health-check": "health",
    "/api/jobtypes": "job types",
    "/api/upload": "upload",
    "/api/predict": "submission",
    "/api/redis": "poll",
    "/api/redis/expire": "expiry",
    "/results/masks.zip": "download",
}
LASTS_S = {ONCE: 0.0, WHILE: 20.0, EVER: math.inf}


def call_of(path: str) -> str:
    """Which of the calls a request for ``path`` is."""
    call = PATHS[path]
    assert call in CALLS
    return call


@dataclass
class Spell:
    """When a call goes wrong: once, or for a time from when it was first made."""

    call: str
    seconds: float  # 0: once
    began_at: float | None = None

    def strikes(self, call: str, now: float) -> bool:
        """Whether a request for ``call`` goes wrong; it counts if it does."""
        if call != self.call:
            return False
        if self.began_at is None:
            self.began_at = now
            return True
        return now - self.began_at < self.seconds


def _packed() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mask.tif", b"mask")
    return packed.getvalue()


RESULT = _packed()


@dataclass
class OneJob:
    """A Kiosk whose every job is done at its first poll; ``files`` is where results are."""

    files: str
    submissions: int = 0  # requests for a job that it read whole
    jobs: list[str] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> bytes:
        """Do what is asked, and the body of the answer."""
        call = call_of(path)
        if call == "download":
            return RESULT
        answers: dict[str, object] = {
            "health": {"message": "OK"},
            "job types": {"jobTypes": ["segmentation"]},
            "upload": {"uploadedName": "uploads/0123.png"},
            "expiry": {"value": 1},
        }
        if call == "submission":
            self.jobs.append(f"segmentation:image.png:{len(self.jobs)}")
            answers[call] = {"hash": self.jobs[-1]}
        elif call == "poll":
            answers[call] = {"value": [self._field(name) for name in json.loads(body)["key"]]}
        return json.dumps(answers[call]).encode()

    def _field(self, name: str) -> str | None:
        return {
            "status": "done",
            "created_at": "2026-11-22T15:40:11.000Z",
            "updated_at": "2026-11-22T15:40:14.000000+00:00",
            "finished_at": "2026-11-22T15:40:13.500000+00:00",
            "output_url": f"{self.files}/results/masks.zip",
        }.get(name)
