"""The consumers of ZIPs, which make a job of each image and wait for all of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from kiosk_locust.simulator.contents import Contents
from kiosk_locust.simulator.event_queue import Agenda
from kiosk_locust.simulator.hashes import SimulatedHashes
from kiosk_locust.simulator.image_consumers import ImageConsumers
from kiosk_locust.simulator.images import ImageJob
from kiosk_locust.simulator.queues import SimulatedQueues
from kiosk_locust.simulator.rng import Purpose, stream
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.zips import ZipJob, plan_unpacking


class ZipConsumers:
    """Unpacks ZIPs into children, whose hashes and work go to ``hashes`` and ``images``.

    ``look`` says what an object in the bucket holds, ``on_end`` is told of each ZIP that has ended.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        agenda: Agenda,
        hashes: SimulatedHashes,
        images: ImageConsumers,
        *,
        look: Callable[[str], Contents | None],
        on_end: Callable[[ZipJob, float], None],
    ) -> None:
        names = [f"{name}-zip" for name in settings.job_types]
        self.queues: SimulatedQueues[ZipJob] = SimulatedQueues(names)
        self._settings = settings
        self._agenda = agenda
        self._hashes = hashes
        self._images = images
        self._look = look
        self._on_end = on_end
        self._free = list(range(settings.zip_consumers))

    def push(self, archive: ZipJob, now: float) -> None:
        """Queue a ZIP."""
        self.queues.push(archive.form.queue, archive)
        self._unpack_next(now)

    def _unpack_next(self, now: float) -> None:
        """Give waiting ZIPs to free consumers."""
        while self.queues and self._free:
            archive = self.queues.pop()
            if archive and not archive.gone:
                self._unpack(archive, self._free.pop(), now)

    def _unpack(self, archive: ZipJob, slot: int, now: float) -> None:
        contents = self._look(archive.form.uploaded_name)
        plan = plan_unpacking(archive, self._settings, slot, now, contents)
        archive.begin(plan)
        step: Callable[[float], None]
        if plan.fails:
            step = partial(self._fail, archive, slot)
        elif plan.images == ():
            step = partial(self._wait, archive, slot)
        else:
            names = stream(self._settings.seed, Purpose.IDENTITY, archive.number, part=1)
            step = partial(self._unpack_image, archive, slot, plan.image_s, names)
        self._agenda.at(now + plan.image_s, step)

    def _fail(self, archive: ZipJob, slot: int, now: float) -> None:
        archive.end(now)
        self._on_end(archive, now)
        self._set_free(slot, now)

    def _unpack_image(
        self, archive: ZipJob, slot: int, image_s: float, names: random.Random, now: float
    ) -> None:
        if archive.gone:
            self._set_free(slot, now)
            return
        child = archive.next_child(f"{names.getrandbits(128):032x}", self._end_child, now)
        self._hashes[child.key] = child
        self._images.push(child, now)
        if child.child < archive.size(self._settings.images_per_zip):
            again = partial(self._unpack_image, archive, slot, image_s, names)
            self._agenda.at(now + image_s, again)
            return
        self._wait(archive, slot, now)

    def _wait(self, archive: ZipJob, slot: int, now: float) -> None:
        """All children are there: the ZIP waits for them."""
        archive.wait(now)
        self._pack_if_ready(archive, now)
        self._set_free(slot, now)

    def _set_free(self, slot: int, now: float) -> None:
        self._free.append(slot)
        self._unpack_next(now)

    def _end_child(self, archive: ZipJob, child: ImageJob, now: float) -> None:
        archive.take_end(child, now)
        self._pack_if_ready(archive, now)

    def _pack_if_ready(self, archive: ZipJob, now: float) -> None:
        if archive.is_ready_to_pack:
            self._agenda.at(archive.pack(now), partial(self._end, archive))

    def _end(self, archive: ZipJob, now: float) -> None:
        archive.end(now)
        self._on_end(archive, now)
        self._hashes.expire_at(now + self._settings.child_expire_s, archive.children)
