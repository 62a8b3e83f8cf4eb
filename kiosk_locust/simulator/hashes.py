"""The hashes of jobs in Redis, and their expiry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kiosk_locust.simulator.event_queue import Agenda
from kiosk_locust.simulator.images import ImageJob
from kiosk_locust.simulator.zips import ZipJob

Job = ImageJob | ZipJob


class SimulatedHashes(dict[str, Job]):
    """Jobs whose hashes are there, by key; those that expire are taken out in time."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__()
        self._agenda = agenda

    def expire_at(self, when: float, jobs: Sequence[Job]) -> None:
        """Let the hashes of ``jobs`` vanish at ``when`` (epoch seconds), as the last to say so."""
        for job in jobs:
            job.expires_at = when
        self._agenda.at(when, partial(self._vanish, jobs))

    def flush(self) -> int:
        """Delete all; returns how many there were."""
        for job in self.values():
            job.gone = True
        flushed = len(self)
        self.clear()
        return flushed

    def _vanish(self, jobs: Sequence[Job], now: float) -> None:
        for job in jobs:
            if job.expires_at is not None and job.expires_at <= now and not job.gone:
                job.gone = True
                del self[job.key]
