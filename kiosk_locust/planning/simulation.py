"""A plan carried out on the simulated cluster, in virtual time.

It is the model behind the simulated Kiosk itself (`kiosk_locust.simulator.cluster`): jobs are
submitted when they are due, and its agenda is run from event to event, so that hours of a
cluster take seconds. Nobody polls: the model tells when a job has ended, and its hash is
dropped, so that memory is bounded by what waits in queues (about 600 bytes an image).
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kiosk_locust.errors import ForecastError
from kiosk_locust.planning.plan import ForecastPlan
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.hashes import Job
from kiosk_locust.simulator.nodes import SimulatedNode
from kiosk_locust.simulator.submission import SimulatedSubmission
from kiosk_locust.simulator.zips import ZipJob

STEP_S = 60.0  # virtual seconds between two looks whether all is over; later, a thousandth
LONGEST_S = 10 * 365 * 86400.0  # whatever takes longer is a plan gone wrong
LONGEST_SCALE_DOWN_S = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class ForecastCourse:
    """What became of a plan; times in seconds from the first submission, at 0."""

    plan: ForecastPlan
    submitted_s: float  # when the last job was submitted
    makespan_s: float  # when the last job had ended
    scaled_down_s: float | None  # when the last GPU node was gone; None: some stay, or too long
    images_done: int
    images_failed: int
    jobs_done: int  # with all images, or some
    working_s: float  # of consumers on GPU nodes, in each image's last attempt
    gpu_nodes: tuple[SimulatedNode, ...]
    cpu_nodes: tuple[SimulatedNode, ...]  # that are always there

    @property
    def images_per_s(self) -> float:
        """Images done a second of the makespan."""
        return self.images_done / self.makespan_s if self.makespan_s else 0.0

    @property
    def gpu_busy(self) -> float | None:
        """The share of places for images on GPU nodes that were used, from ready to the end."""
        places_s = self.plan.cluster.jobs_per_gpu * sum(
            max(0.0, min(self.makespan_s, node.deleted_at or math.inf) - max(0.0, node.ready_at))
            for node in self.gpu_nodes
        )
        return self.working_s / places_s if places_s else None


class _Counts:
    """Listens to the cluster; ``to_drop`` are the keys of jobs that have ended."""

    def __init__(self) -> None:
        self.jobs = self.jobs_done = self.images_done = self.images_failed = 0
        self.working_s = self.last_end_s = 0.0
        self.to_drop: list[str] = []

    def take_end(self, job: Job, now: float) -> None:
        life = job.life(now)
        self.jobs += 1
        self.jobs_done += life.images_done > 0
        self.images_done += life.images_done
        self.images_failed += life.images_failed
        self.last_end_s = now
        self.to_drop.append(job.key)
        for image in job.children if isinstance(job, ZipJob) else [job]:
            if image.attempt:
                self.working_s += image.attempt.over_at - image.attempt.started_at


def run(plan: ForecastPlan) -> ForecastCourse:
    """Carry out a plan; raises ForecastError where it would take more than ten years.

    Deterministic: the same plan gives the same course.
    """
    counts = _Counts()
    # Nobody reads the children of a ZIP that has ended.
    cluster = Cluster(replace(plan.cluster, child_expire_s=0.0), 0.0, counts.take_end)
    with _without_collector():
        _submit(plan, cluster, counts)
        while counts.jobs < plan.jobs:
            _advance(cluster, counts, cluster.now + max(STEP_S, cluster.now / 1000))
            if cluster.now > LONGEST_S:
                raise ForecastError(
                    f"{plan.jobs - counts.jobs:,} of {plan.jobs:,} jobs have not ended after ten "
                    "years of the model; give more --gpus, shorter stages, or less --requeue-rate"
                )
        scaled_down_s = _scale_down(cluster)
    return ForecastCourse(
        plan=plan,
        submitted_s=(plan.jobs - 1) * plan.start_delay_s,
        makespan_s=counts.last_end_s,
        scaled_down_s=scaled_down_s,
        images_done=counts.images_done,
        images_failed=counts.images_failed,
        jobs_done=counts.jobs_done,
        working_s=counts.working_s,
        gpu_nodes=tuple(cluster.fleet.history),
        cpu_nodes=tuple(cluster.fleet.cpu_nodes),
    )


def _submit(plan: ForecastPlan, cluster: Cluster, counts: _Counts) -> None:
    name = f"zip{plan.images_per_job}.zip" if plan.zips else "image.png"
    form = SimulatedSubmission(
        plan.cluster.job_types[0], name, f"uploads/{name}", {"dimension_order": "XY"}
    )
    for number in range(plan.jobs):
        cluster.submit(form, number * plan.start_delay_s)
        _drop(cluster, counts)


def _advance(cluster: Cluster, counts: _Counts, now: float) -> None:
    cluster.advance(now)
    _drop(cluster, counts)


def _drop(cluster: Cluster, counts: _Counts) -> None:
    """What the client's expiry does in the end, at once."""
    for key in counts.to_drop:
        cluster.expire(key, 0.0, cluster.now)
    counts.to_drop.clear()


def _scale_down(cluster: Cluster) -> float | None:
    """Go on until the autoscaler has removed what it will; when the last GPU node was gone."""
    limit_s = cluster.now + LONGEST_SCALE_DOWN_S
    while not cluster.fleet.is_settled and cluster.now < limit_s:
        cluster.advance(cluster.now + STEP_S)
    ends = [node.deleted_at for node in cluster.fleet.history]
    known = [end for end in ends if end is not None]
    return max(known, default=None) if len(known) == len(ends) else None


@contextmanager
def _without_collector() -> Iterator[None]:
    """Leave out the search for cycles, of which the model makes none: a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
