"""The simulated cluster: hashes, queues and consumers, in time that is passed in.

Pure: every call says what time it is (epoch seconds, never earlier than the call before),
and whatever was due by then happens first. The same seed with the same calls at the same
times gives the same history.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from kiosk_locust.simulator.contents import Contents
from kiosk_locust.simulator.event_queue import Agenda
from kiosk_locust.simulator.hashes import Job, SimulatedHashes
from kiosk_locust.simulator.image_consumers import ImageConsumers
from kiosk_locust.simulator.images import ImageJob, SimulatedLife
from kiosk_locust.simulator.nodes import Fleet
from kiosk_locust.simulator.rng import Purpose, duration, restart
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.submission import SimulatedSubmission
from kiosk_locust.simulator.zip_consumers import ZipConsumers
from kiosk_locust.simulator.zips import ZipJob


class Cluster:
    """A Kiosk behind its HTTP face, from ``started_at`` (epoch seconds) on.

    ``ended`` is told of each submitted job that has ended, at the moment when it has; ``look``
    says what an object in the bucket holds (None: it is not known, and fits).
    """

    def __init__(
        self,
        settings: ClusterSettings,
        started_at: float,
        ended: Callable[[Job, float], None] = lambda _job, _now: None,
        look: Callable[[str], Contents | None] = lambda _name: None,
    ) -> None:
        self.settings = settings
        self.started_at = started_at
        self.now = started_at
        self.fleet = Fleet(settings, started_at)
        self._ended = ended
        self._look = look
        self._agenda = Agenda()
        self._hashes = SimulatedHashes(self._agenda)
        self._orphans: set[str] = set()
        self._images = ImageConsumers(settings, self._agenda, self.fleet, started_at)
        self._zips = ZipConsumers(
            settings, self._agenda, self._hashes, self._images, look=look, on_end=ended
        )
        self._submitted = 0
        self._rng = random.Random()  # started anew for each use; drawn from at once

    # What a client can do

    def submit(self, form: SimulatedSubmission, now: float, *, queued: bool = True) -> str:
        """Make a hash, push its key, and return the key.

        One that is not ``queued`` is an orphan: it stays ``new``, and nobody ever works on it.
        """
        self.advance(now)
        self._submitted += 1
        rng = restart(self._rng, self.settings.seed, Purpose.IDENTITY, self._submitted)
        key = f"{form.queue}:{form.image_name}:{UUID(int=rng.getrandbits(128), version=4)}"
        job = self._made(key, form)
        self._hashes[key] = job
        if not queued:
            self._orphans.add(key)
            return key
        if rng.random() < self.settings.vanish_rate:
            age_s = duration(rng, self.settings.vanish_after_s, self.settings.spread)
            self._hashes.expire_at(self.now + age_s, [job])
        if isinstance(job, ZipJob):
            self._zips.push(job, self.now)
        else:
            self._images.push(job, self.now)
        return key

    def _made(self, key: str, form: SimulatedSubmission) -> Job:
        if form.is_zip:
            return ZipJob(key, self._submitted, form, self.now)
        contents = self._look(form.uploaded_name)
        image = contents.image if contents else None
        return ImageJob(key, self._submitted, form, self.now, on_end=self._ended, image=image)

    def status(self, key: str, now: float) -> str | None:
        """The status of a hash; None for an unknown one."""
        self.advance(now)
        job = self._hashes.get(key)
        return job.status(self.now) if job else None

    def read(self, key: str, now: float) -> dict[str, str]:
        """All fields of a hash; none for an unknown one."""
        self.advance(now)
        job = self._hashes.get(key)
        return job.fields(self.now, self.settings) if job else {}

    def expire(self, key: str, seconds: float, now: float) -> bool:
        """Let a hash vanish in so many seconds, as the last to say so; False: unknown."""
        self.advance(now)
        job = self._hashes.get(key)
        if job is None:
            return False
        self._hashes.expire_at(self.now + seconds, [job])
        self.advance(now)  # none or less: at once
        return True

    def flush(self, now: float) -> int:
        """Empty Redis: all hashes and queues are gone; returns how many hashes there were."""
        self.advance(now)
        flushed = self._hashes.flush()
        self._images.queues.clear()
        self._zips.queues.clear()
        return flushed

    # What can be seen from behind

    def __len__(self) -> int:
        """How many hashes there are."""
        return len(self._hashes)

    def statuses(self, now: float) -> dict[str, int]:
        """How many hashes have each status, children included."""
        self.advance(now)
        return dict(Counter(job.status(self.now) for job in self._hashes.values()))

    def lives(self, now: float) -> dict[str, SimulatedLife]:
        """The true life of every submitted job whose hash is there, children left out."""
        self.advance(now)
        submitted = (
            (key, job)
            for key, job in self._hashes.items()
            if isinstance(job, ZipJob) or not job.child
        )
        return {key: job.life(self.now) for key, job in submitted}

    def uploaded_names(self) -> dict[str, str]:
        """The object in the bucket that each job works on, by hash."""
        return {key: job.form.uploaded_name for key, job in self._hashes.items()}

    def queue_lengths(self) -> dict[str, int]:
        """How many keys wait in each queue."""
        return self._images.queues.lengths() | self._zips.queues.lengths()

    def keys_in_queues(self, now: float) -> dict[str, int]:
        """The same with those that consumers work on, as the Kiosk's exporter counts them."""
        self.advance(now)
        unfinished = (
            job.form.queue
            for key, job in self._hashes.items()
            if key not in self._orphans and job.status(self.now) not in ("done", "failed")
        )
        return dict.fromkeys(self.queue_lengths(), 0) | Counter(unfinished)

    # What happens by itself

    def advance(self, now: float) -> None:
        """Let everything happen that is due by ``now``."""
        self.now = max(self.now, now)
        self._agenda.run_until(self.now)
