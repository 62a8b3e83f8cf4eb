"""Simulation of a plan on the simulated cluster, in virtual time.

It uses the model of the simulated Kiosk (`kiosk_locust.simulator.cluster`): jobs are submitted when
they are due, and time advances from event to event, so that hours of a cluster take seconds. There
are no polls: the model reports a job's end, and the job's hash is dropped, so that memory is
bounded by the images that wait in queues (about 600 bytes each).
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

STEP_S = 60.0  # virtual s between checks for the end; later, 1/1000 of the time
LONGEST_S = 10 * 365 * 86400.0  # a longer plan is a mistake
LONGEST_SCALE_DOWN_S = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class ForecastCourse:
    """Result of a simulated plan; times in seconds from the first submission, at 0."""

    plan: ForecastPlan
    submitted_s: float  # time of the last submission
    makespan_s: float  # end of the last job
    scaled_down_s: float | None  # removal of the last GPU node; None: some stay
    images_done: int
    images_failed: int
    jobs_done: int  # with all images, or some
    working_s: float  # of consumers on GPU nodes, in each image's last attempt
    gpu_nodes: tuple[SimulatedNode, ...]
    cpu_nodes: tuple[SimulatedNode, ...]  # permanent ones

    @property
    def images_per_s(self) -> float:
        """Images done per second of the makespan."""
        return self.images_done / self.makespan_s if self.makespan_s else 0.0

    @property
    def gpu_busy(self) -> float | None:
        """Used share of the image slots on GPU nodes, from ready to the end; None without any."""
        slots_s = self.plan.cluster.jobs_per_gpu * sum(
            max(0.0, min(self.makespan_s, node.deleted_at or math.inf) - max(0.0, node.ready_at))
            for node in self.gpu_nodes
        )
        return self.working_s / slots_s if slots_s else None


class _Counts:
    """Observer of the cluster; ``to_drop`` holds the keys of jobs that have ended."""

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
    """Simulate a plan; the same plan always gives the same result.

    Raises:
        ForecastError: The plan would take more than ten years.

    """
    counts = _Counts()
    # The children of a ZIP that has ended are never read.
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
    """Remove the hashes of ended jobs, as the client's expiry does in the end."""
    for key in counts.to_drop:
        cluster.expire(key, 0.0, cluster.now)
    counts.to_drop.clear()


def _scale_down(cluster: Cluster) -> float | None:
    """Advance until the autoscaler is settled.

    Returns:
        Removal time of the last GPU node; None if some stay, or stay too long.

    """
    limit_s = cluster.now + LONGEST_SCALE_DOWN_S
    while not cluster.fleet.is_settled and cluster.now < limit_s:
        cluster.advance(cluster.now + STEP_S)
    ends = [node.deleted_at for node in cluster.fleet.history]
    removals = [end for end in ends if end is not None]
    return max(removals, default=None) if len(removals) == len(ends) else None


@contextmanager
def _without_collector() -> Iterator[None]:
    """Disable garbage collection: the model makes no cycles, and it costs a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
