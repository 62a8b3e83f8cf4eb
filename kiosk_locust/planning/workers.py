"""Capacity planning: workers and master for a number of jobs in flight, from measured costs.

``docs/explanation/scaling.md`` has the formulas and the measured inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inputs:
    """Measured costs and assumptions: the rows of the first table of ``explanation/scaling.md``."""

    job_s: float  # a job's mean time in flight
    update_interval_s: float
    poll_backoff: float  # share of a job's age
    load: float  # share of a core that a process may use
    worker_mb: float  # a worker without jobs
    worker_job_kb: float  # a job in flight
    worker_limit_mb: float  # memory of a worker's container
    job_ms: float  # worker's CPU a job, without its polls
    poll_ms: float  # worker's CPU a poll
    master_mb: float
    master_job_kb: float  # a job in flight, at the master
    master_job_ms: float  # master's CPU a job
    master_worker_ms: float  # master's CPU a second and connected worker
    ledger_records_s: float
    ledger_job_bytes: float
    finish_job_ms: float  # results, summary and report
    pool_sockets: float  # of a worker
    request_ms: float  # the Kiosk's time to answer a poll
    ports: float  # local ports of a machine, to one address


def polls_a_job(inputs: Inputs, job_s: float) -> float:
    """Mean number of polls of a job of ``job_s`` seconds.

    The interval is UPDATE_INTERVAL, or POLL_BACKOFF of the job's age where that is longer: from
    that age on a poll is sent each time the age has grown by that share. The first poll comes at a
    random moment of the first interval, and one more follows the job's end.
    """
    interval_s, backoff = inputs.update_interval_s, inputs.poll_backoff
    if not backoff or job_s <= interval_s / backoff:
        return job_s / interval_s + 1
    from_s = interval_s / backoff
    return from_s / interval_s + math.log(job_s / from_s) / math.log(1 + backoff) + 1


@dataclass(frozen=True, slots=True)
class ResourceNeeds:
    """Resources that a number of jobs in flight needs in the steady state."""

    jobs_s: float
    polls_s: float
    worker_cores: float
    workers_by_cpu: int
    workers_by_memory: int
    workers_by_sockets: int
    worker_mb: float  # per worker
    master_load: float  # share of a core
    master_mb: float
    ledger_load: float  # share of its capacity
    ledger_mb_h: float
    finish_h: float  # hours, for an hour of jobs

    @property
    def workers(self) -> int:
        """Workers that suffice by CPU, memory and sockets."""
        return max(self.workers_by_cpu, self.workers_by_memory, self.workers_by_sockets)


def resource_needs(inputs: Inputs, in_flight: float) -> ResourceNeeds:
    """Resources for ``in_flight`` jobs that start as fast as they end."""
    jobs_s = in_flight / inputs.job_s
    polls_s = jobs_s * polls_a_job(inputs, inputs.job_s)
    cores = (jobs_s * inputs.job_ms + polls_s * inputs.poll_ms) / 1000
    room_mb = inputs.worker_limit_mb - inputs.worker_mb
    sockets = (polls_s + 2 * jobs_s) * inputs.request_ms / 1000
    by_cpu = math.ceil(cores / inputs.load)
    by_memory = math.ceil(in_flight * inputs.worker_job_kb / 1024 / room_mb)
    by_sockets = math.ceil(sockets / inputs.pool_sockets / inputs.load)
    workers = max(by_cpu, by_memory, by_sockets)
    return ResourceNeeds(
        jobs_s=jobs_s,
        polls_s=polls_s,
        worker_cores=cores,
        workers_by_cpu=by_cpu,
        workers_by_memory=by_memory,
        workers_by_sockets=by_sockets,
        worker_mb=inputs.worker_mb + in_flight / workers * inputs.worker_job_kb / 1024,
        master_load=(jobs_s * inputs.master_job_ms + workers * inputs.master_worker_ms) / 1000,
        master_mb=inputs.master_mb + in_flight * inputs.master_job_kb / 1024,
        ledger_load=jobs_s / inputs.ledger_records_s,
        ledger_mb_h=jobs_s * 3600 * inputs.ledger_job_bytes / 1e6,
        finish_h=jobs_s * inputs.finish_job_ms / 1000,
    )


def limits_in_flight(inputs: Inputs) -> Mapping[str, float]:
    """Jobs in flight at which each resource is used up, if all others suffice."""

    def most(share_per_job: float) -> float:
        return math.inf if share_per_job <= 0 else 1 / share_per_job

    per_job = resource_needs(inputs, 1.0)
    workers_per_job = (
        per_job.worker_cores / inputs.load
    )  # workers by CPU that a job in flight takes
    master_s = per_job.jobs_s * inputs.master_job_ms / 1000
    room_mb = inputs.worker_limit_mb - inputs.worker_mb
    requests_s = per_job.polls_s + 2 * per_job.jobs_s
    return {
        "a worker's CPU (one process)": most(per_job.worker_cores / inputs.load),
        "a worker's memory (one process)": most(inputs.worker_job_kb / 1024 / room_mb),
        "a worker's sockets (one process)": most(
            requests_s * inputs.request_ms / 1000 / inputs.pool_sockets / inputs.load
        ),
        "the master's CPU": inputs.load
        * most(master_s + workers_per_job * inputs.master_worker_ms / 1000),
        "the ledger's disk": most(per_job.ledger_load),
        "the end: an hour of results for an hour of jobs": most(per_job.finish_h),
        "local ports of one machine, were no connection kept": most(
            requests_s * 60 / inputs.ports  # a closed one waits 60 s in TIME_WAIT
        ),
    }
