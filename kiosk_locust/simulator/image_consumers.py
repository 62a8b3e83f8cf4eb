"""The consumers of images on GPU nodes, and the autoscaler that goes by their work."""

from __future__ import annotations

import math
import random
from functools import partial

from kiosk_locust.simulator.event_queue import Agenda
from kiosk_locust.simulator.images import ImageJob, plan_attempt
from kiosk_locust.simulator.nodes import Fleet, SimulatedNode
from kiosk_locust.simulator.queues import SimulatedQueues
from kiosk_locust.simulator.rng import Purpose, restart
from kiosk_locust.simulator.settings import ClusterSettings


class ImageConsumers:
    """Takes images from their queues as long as a node of ``fleet`` has a free consumer.

    The autoscaler looks at whole intervals since ``started_at`` (epoch seconds).
    """

    def __init__(
        self, settings: ClusterSettings, agenda: Agenda, fleet: Fleet, started_at: float
    ) -> None:
        self.queues: SimulatedQueues[ImageJob] = SimulatedQueues(list(settings.job_types))
        self._settings = settings
        self._agenda = agenda
        self._fleet = fleet
        self._started_at = started_at
        self._working = 0
        self._rng = random.Random()  # started anew for each use; drawn from at once
        self._autoscaler_runs = False

    def push(self, job: ImageJob, now: float) -> None:
        """Queue an image."""
        self.queues.push(job.form.job_type, job)
        self._work_on(now)

    def _work_on(self, now: float) -> None:
        """Give waiting images to free consumers."""
        while self.queues and (node := self._fleet.free_node(now)):
            job = self.queues.pop()
            if job and not job.gone:  # else the consumer finds no hash behind the key
                self._begin(job, node, now)
        self._wake_autoscaler(now)

    def _begin(self, job: ImageJob, node: SimulatedNode, now: float) -> None:
        slot = node.free.pop()
        node.running += 1
        self._working += 1
        part = job.child << 8 | min(job.attempts, 255)
        rng = restart(self._rng, self._settings.seed, Purpose.WORK, job.number, part + 2)
        consumer = f"{job.form.job_type}-consumer-{node.name}-{slot}"
        if slot in node.deaths:  # the pod that takes a dead one's place has another name
            consumer += f"-{node.deaths[slot]}"
        attempt = plan_attempt(job.form, self._settings, rng, consumer, now, image=job.image)
        job.begin(attempt, self._settings)
        self._agenda.at(attempt.over_at, partial(self._end, job, node, slot))

    def _end(self, job: ImageJob, node: SimulatedNode, slot: int, now: float) -> None:
        node.free.append(slot)
        node.running -= 1
        node.idle_since = now
        self._working -= 1
        if job.attempt and job.attempt.result == "lost":
            node.deaths[slot] += 1
            self._agenda.at(now + self._settings.requeue_delay_s, partial(self._requeue, job))
        else:
            job.end(now)
        self._work_on(now)

    def _requeue(self, job: ImageJob, now: float) -> None:
        """The janitor puts back what a dead consumer has left."""
        if not job.gone:
            self.push(job, now)

    def _wake_autoscaler(self, now: float) -> None:
        """Let the autoscaler look at its next turn, if it does not do so anyway."""
        if not self._autoscaler_runs:
            self._autoscaler_runs = True
            interval_s = self._settings.autoscale_interval_s
            turn = math.floor((now - self._started_at) / interval_s) + 1
            self._agenda.at(self._started_at + turn * interval_s, self._autoscale)

    def _autoscale(self, now: float) -> None:
        backlog = len(self.queues) + self._working
        for node in self._fleet.scale(backlog, now):
            self._agenda.at(node.ready_at, self._work_on)
        self._autoscaler_runs = False
        if backlog or not self._fleet.is_settled:
            self._wake_autoscaler(now)
