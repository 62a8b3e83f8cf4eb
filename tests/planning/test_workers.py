from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

import pytest

from kiosk_locust.planning.workers import Inputs, limits_in_flight, polls_a_job, resource_needs

INPUTS = Inputs(
    job_s=100.0,
    update_interval_s=10.0,
    poll_backoff=0.0,
    load=0.5,
    worker_mb=100.0,
    worker_job_kb=100.0,
    worker_limit_mb=1100.0,
    job_ms=2.0,
    poll_ms=1.0,
    master_mb=200.0,
    master_job_kb=10.0,
    master_job_ms=1.0,
    master_worker_ms=10.0,
    ledger_records_s=1000.0,
    ledger_job_bytes=1000.0,
    finish_job_ms=0.1,
    pool_sockets=64.0,
    request_ms=10.0,
    ports=28_000.0,
)


def test_ten_thousand_jobs_of_a_hundred_seconds_by_hand() -> None:
    found = resource_needs(INPUTS, 10_000)
    assert found.jobs_s == 100
    assert found.polls_s == 100 * 11
    assert found.worker_cores == pytest.approx(100 * 0.002 + 1100 * 0.001)
    assert found.workers_by_cpu == 3  # 1.3 cores, half of each
    assert found.workers_by_memory == 1  # 977 MB in 1,000
    assert found.workers_by_sockets == 1  # 12 busy of 64
    assert found.master_load == pytest.approx(100 * 0.001 + 3 * 0.01)
    assert found.ledger_load == pytest.approx(0.1)


@pytest.mark.parametrize("backoff", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("job_s", [55.0, 600.0, 7200.0])
def test_polls_are_those_of_a_job_that_is_followed(backoff: float, job_s: float) -> None:
    def followed(rng: random.Random) -> int:
        age_s, polls = rng.random() * 10.0, 1
        while age_s < job_s:
            age_s += max(10.0, backoff * age_s)
            polls += 1
        return polls

    rng = random.Random(1)
    mean = statistics.fmean(followed(rng) for _ in range(3000))
    inputs = replace(INPUTS, poll_backoff=backoff)
    assert polls_a_job(inputs, job_s) == pytest.approx(mean, abs=0.6)


def test_what_gives_way_is_used_up_at_that_size_and_not_below() -> None:
    found = limits_in_flight(INPUTS)
    at = found["the ledger's disk"]
    assert resource_needs(INPUTS, at).ledger_load == pytest.approx(1.0)
    at = found["the master's CPU"]
    assert resource_needs(INPUTS, at).master_load == pytest.approx(
        INPUTS.load, rel=0.05
    )  # whole workers
    at = found["a worker's CPU (one process)"]
    assert resource_needs(INPUTS, math.floor(at)).workers_by_cpu == 1
    assert resource_needs(INPUTS, math.ceil(at) + 1).workers_by_cpu == 2
    at = found["a worker's memory (one process)"]
    assert resource_needs(INPUTS, math.floor(at)).workers_by_memory == 1
    assert resource_needs(INPUTS, math.ceil(at) + 1).workers_by_memory == 2
