"""The simulated cluster: hashes, queues and consumers, in time that is passed in.

Pure: every call says what time it is (epoch seconds, never earlier than the call before),
and whatever was due by then happens first. The same seed with the same calls at the same
times gives the same history.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from uuid import UUID

from kiosk_locust.simulator.contents import Contents
from kiosk_locust.simulator.event_queue import Agenda
from kiosk_locust.simulator.images import ImageJob, SimulatedLife, name_of_child, plan_attempt
from kiosk_locust.simulator.nodes import Fleet, SimulatedNode
from kiosk_locust.simulator.queues import SimulatedQueues
from kiosk_locust.simulator.rng import Purpose, duration, restart, stream
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.submission import SimulatedSubmission
from kiosk_locust.simulator.zips import ZipJob

Job = ImageJob | ZipJob


class Cluster:
    """A Kiosk behind its HTTP face, from ``started_at`` (epoch seconds) on.

    ``ended`` is told of each submitted job that has ended, at the moment when it has; ``look``
    says what an object in the bucket holds (None: it is not known, and fits).
    """

    def __init__(
        self,
        settings: ClusterSettings,
        started_at: float,
        ended: Callable[[Job, float], None] | None = None,
        look: Callable[[str], Contents | None] = lambda _name: None,
    ) -> None:
        self.settings = settings
        self._ended = ended
        self._look = look
        self.started_at = started_at
        self.fleet = Fleet(settings, started_at)
        self.now = started_at
        self._hashes: dict[str, Job] = {}
        self._orphans: set[str] = set()
        self._images: SimulatedQueues[ImageJob] = SimulatedQueues(list(settings.job_types))
        self._zips: SimulatedQueues[ZipJob] = SimulatedQueues(
            [f"{name}-zip" for name in settings.job_types]
        )
        self._free_zip_consumers = list(range(settings.zip_consumers))
        self._submitted = 0
        self._working = 0  # images in work
        self._agenda = Agenda()
        self._rng = random.Random()  # started anew for each use; drawn from at once
        self._autoscaler_runs = False

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
            self._expire_at(job, self.now + age_s)
        if isinstance(job, ZipJob):
            self._zips.push(form.queue, job)
            self._unpack_next(self.now)
        else:
            self._images.push(form.queue, job)
            self._work_on(self.now)
        return key

    def _made(self, key: str, form: SimulatedSubmission) -> Job:
        if form.is_zip:
            return ZipJob(key, self._submitted, form, self.now)
        contents = self._look(form.uploaded_name)
        image = contents.image if contents else None
        return ImageJob(key, self._submitted, form, self.now, on_end=self._tell_end, image=image)

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
        self._expire_at(job, self.now + seconds)
        self.advance(now)  # none or less: at once
        return True

    def flush(self, now: float) -> int:
        """Empty Redis: all hashes and queues are gone; returns how many hashes there were."""
        self.advance(now)
        for job in self._hashes.values():
            job.gone = True
        flushed = len(self._hashes)
        self._hashes.clear()
        self._images.clear()
        self._zips.clear()
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
        return self._images.lengths() | self._zips.lengths()

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

    def _work_on(self, now: float) -> None:
        """Give waiting images to free consumers."""
        while self._images and (node := self.fleet.free_node(now)):
            job = self._images.pop()
            if job and not job.gone:  # else the consumer finds no hash behind the key
                self._begin(job, node, now)
        self._wake_autoscaler(now)

    def _begin(self, job: ImageJob, node: SimulatedNode, now: float) -> None:
        slot = node.free.pop()
        node.running += 1
        self._working += 1
        part = job.child << 8 | min(job.attempts, 255)
        rng = restart(self._rng, self.settings.seed, Purpose.WORK, job.number, part + 2)
        consumer = f"{job.form.job_type}-consumer-{node.name}-{slot}"
        if slot in node.deaths:  # the pod that takes a dead one's place has another name
            consumer += f"-{node.deaths[slot]}"
        attempt = plan_attempt(job.form, self.settings, rng, consumer, now, image=job.image)
        job.begin(attempt, self.settings)
        self._agenda.at(attempt.over_at, partial(self._end, job, node, slot))

    def _end(self, job: ImageJob, node: SimulatedNode, slot: int, now: float) -> None:
        node.free.append(slot)
        node.running -= 1
        node.idle_since = now
        self._working -= 1
        if job.attempt and job.attempt.result == "lost":
            node.deaths[slot] += 1
            self._agenda.at(now + self.settings.requeue_delay_s, partial(self._requeue, job))
        elif job.on_end:
            on_end, job.on_end = job.on_end, None
            on_end(job, now)
        self._work_on(now)

    def _end_child(self, archive: ZipJob, child: ImageJob, now: float) -> None:
        archive.take_end(child, now)
        self._pack_if_ready(archive, now)

    def _tell_end(self, job: Job, now: float) -> None:
        if self._ended:
            self._ended(job, now)

    def _requeue(self, job: ImageJob, now: float) -> None:
        """The janitor puts back what a dead consumer has left."""
        if not job.gone:
            self._images.push(job.form.job_type, job)
            self._work_on(now)

    def _unpack_next(self, now: float) -> None:
        """Give waiting ZIPs to free ZIP consumers."""
        while self._zips and self._free_zip_consumers:
            archive = self._zips.pop()
            if archive and not archive.gone:
                self._unpack(archive, self._free_zip_consumers.pop(), now)

    def _unpack(self, archive: ZipJob, slot: int, now: float) -> None:
        archive.consumer = f"{archive.form.queue}-consumer-{slot}"
        archive.picked_at = archive.touched_at = now
        rng = restart(self._rng, self.settings.seed, Purpose.WORK, archive.number)
        image_s = duration(rng, self.settings.zip_image_s, self.settings.spread)
        archive.cleanup_s = duration(rng, self.settings.zip_cleanup_s, self.settings.spread)
        contents = self._look(archive.form.uploaded_name)
        archive.images = contents.children if contents else None
        fails = rng.random() < self.settings.zip_failure_rate
        fails = fails or (contents is not None and contents.children is None)
        archive.tells_finish = rng.random() >= self.settings.finished_at_missing_rate
        archive.stuck = rng.random() < self.settings.zip_stuck_rate
        if fails:
            self._agenda.at(now + image_s, partial(self._fail_zip, archive, slot))
            return
        if archive.images == ():
            self._agenda.at(now + image_s, partial(self._wait, archive, slot))
            return
        names = stream(self.settings.seed, Purpose.IDENTITY, archive.number, part=1)
        self._agenda.at(now + image_s, partial(self._unpack_image, archive, slot, image_s, names))

    def _fail_zip(self, archive: ZipJob, slot: int, now: float) -> None:
        archive.failed_at = archive.touched_at = now
        self._tell_end(archive, now)
        self._free_zip_consumer(slot, now)

    def _unpack_image(
        self, archive: ZipJob, slot: int, image_s: float, names: random.Random, now: float
    ) -> None:
        if archive.gone:
            self._free_zip_consumer(slot, now)
            return
        number = len(archive.children) + 1
        image = archive.images[number - 1] if archive.images else None
        name = image.name if image else name_of_child(number)
        key = f"{archive.form.job_type}:{name}:{names.getrandbits(128):032x}"
        on_end = partial(self._end_child, archive)
        job = ImageJob(
            key, archive.number, archive.form, now, on_end=on_end, child=number, image=image
        )
        archive.children.append(job)
        archive.touched_at = now
        self._hashes[key] = job
        self._images.push(archive.form.job_type, job)
        self._work_on(now)
        if number < (len(archive.images) if archive.images else self.settings.images_per_zip):
            again = partial(self._unpack_image, archive, slot, image_s, names)
            self._agenda.at(now + image_s, again)
            return
        self._wait(archive, slot, now)

    def _wait(self, archive: ZipJob, slot: int, now: float) -> None:
        """All children are there: the ZIP waits for them."""
        archive.waiting_at = archive.touched_at = now
        self._pack_if_ready(archive, now)
        self._free_zip_consumer(slot, now)

    def _free_zip_consumer(self, slot: int, now: float) -> None:
        self._free_zip_consumers.append(slot)
        self._unpack_next(now)

    def _pack_if_ready(self, archive: ZipJob, now: float) -> None:
        if archive.is_ready_to_pack:
            archive.packing_at = now
            self._agenda.at(now + archive.cleanup_s, partial(self._pack, archive))

    def _pack(self, archive: ZipJob, now: float) -> None:
        archive.done_at = archive.touched_at = now
        self._tell_end(archive, now)
        vanish_at = now + self.settings.child_expire_s
        for child in archive.children:
            child.expires_at = vanish_at
        self._agenda.at(vanish_at, partial(self._vanish_all, archive.children))

    def _vanish_all(self, children: list[ImageJob], now: float) -> None:
        for child in children:
            self._vanish(child, now)

    def _expire_at(self, job: Job, when: float) -> None:
        job.expires_at = when
        self._agenda.at(when, partial(self._vanish, job))

    def _vanish(self, job: Job, now: float) -> None:
        if job.expires_at is not None and job.expires_at <= now and not job.gone:
            job.gone = True
            del self._hashes[job.key]

    def _wake_autoscaler(self, now: float) -> None:
        """Let the autoscaler look at its next turn, if it does not do so anyway."""
        if not self._autoscaler_runs:
            self._autoscaler_runs = True
            interval_s = self.settings.autoscale_interval_s
            turn = math.floor((now - self.started_at) / interval_s) + 1
            self._agenda.at(self.started_at + turn * interval_s, self._autoscale)

    def _autoscale(self, now: float) -> None:
        backlog = len(self._images) + self._working
        for node in self.fleet.scale(backlog, now):
            self._agenda.at(node.ready_at, self._work_on)
        self._autoscaler_runs = False
        if backlog or not self.fleet.is_settled:
            self._wake_autoscaler(now)
