"""What jobs, polls and workers cost, in small: inputs of ``docs/explanation/scaling.md``.

A master and two workers as real processes against a simulated Kiosk; the processor time and the
peak memory of each are the system's own figures. What a job costs is the difference between a run
of many and one of few; what a poll costs, that between two runs polled more and less often; what
a worker costs its master, that between more and fewer workers. From the root of the repository
(5 minutes, mostly of waiting):

    python -m benchmarks.scaling_inputs
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.real import Locust, simulator
from tests.helpers.servers import free_port

FEW, SOME = 100, 800  # jobs; SOME of them can be polled each second
WORKERS, MORE_WORKERS = 2, 6
JOB_S, LONG_JOB_S = 20, 40
SELDOM_S, OFTEN_S = 10, 1  # UPDATE_INTERVAL
MB = 1024.0  # KB, the unit of ru_maxrss on Linux


@dataclass(frozen=True, slots=True)
class Use:
    """What a run used; a worker's figures are of all workers together."""

    jobs: int
    polls: int
    took_s: float
    master_cpu_s: float
    master_mb: float
    worker_cpu_s: float
    worker_mb: float


def use(jobs: int, job_s: int, update_interval_s: int, processes: int = WORKERS) -> Use:
    """Make one run; all its jobs are in flight at once."""
    kiosk_is = ("--seed=1", "--spread=0", "--jobs-per-gpu=1000000", f"--predict-s={job_s}")
    with tempfile.TemporaryDirectory() as name, simulator(*kiosk_is, quick=False) as kiosk:
        settings: dict[str, Any] = {
            "UPDATE_INTERVAL": str(update_interval_s),
            "START_DELAY": "0.004",
        }
        port = str(free_port())
        started = []
        begun = time.monotonic()
        for number in range(processes + 1):
            folder = Path(name) / str(number)
            folder.mkdir()
            words = ["--worker", "--master-port", port]
            if number == 0:
                words = [
                    *("--master", "--master-bind-port", port, "--master-bind-host", "127.0.0.1"),
                    *("--expect-workers", str(processes), "--count", str(jobs)),
                ]
            started.append(
                Locust(
                    folder,
                    *words,
                    host="" if number else kiosk.url,
                    headless=number == 0,
                    **settings,
                )
            )
        used = []
        for one in started:
            _, status, resources = os.wait4(one.process.pid, 0)
            one.process.returncode = os.waitstatus_to_exitcode(status)
            if one.process.returncode:
                raise SystemExit(f"a run ended with {one.process.returncode}:\n{one.output}")
            used.append((resources.ru_utime + resources.ru_stime, resources.ru_maxrss / MB))
        took_s = time.monotonic() - begun
        polls = sum(int(each["count"]) for each in kiosk.polls.values())
    (master_cpu_s, master_mb), *workers = used
    return Use(
        jobs, polls, took_s, master_cpu_s, master_mb,
        sum(cpu_s for cpu_s, _ in workers), sum(mb for _, mb in workers),
    )  # fmt: skip


def main() -> None:
    """Make six runs, and print the rows of the table of inputs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=3000, help="jobs of the largest run")
    asked = parser.parse_args()
    few = use(FEW, JOB_S, SELDOM_S)
    many = use(asked.jobs, JOB_S, SELDOM_S)
    seldom = use(SOME, LONG_JOB_S, SELDOM_S)
    often = use(SOME, LONG_JOB_S, OFTEN_S)
    few_workers = use(FEW, LONG_JOB_S, SELDOM_S)
    more_workers = use(FEW, LONG_JOB_S, SELDOM_S, MORE_WORKERS)
    more = many.jobs - few.jobs
    poll_s = (often.worker_cpu_s - seldom.worker_cpu_s) / (often.polls - seldom.polls)
    job_s = (many.worker_cpu_s - few.worker_cpu_s - (many.polls - few.polls) * poll_s) / more
    worker_s = (more_workers.master_cpu_s - few_workers.master_cpu_s) / (
        (MORE_WORKERS - WORKERS) * more_workers.took_s
    )
    found = {
        "worker_mb": few.worker_mb / WORKERS,
        "worker_job_kb": (many.worker_mb - few.worker_mb) / more * 1024,
        "job_ms": job_s * 1000,
        "poll_ms": poll_s * 1000,
        "master_mb": few.master_mb,
        "master_job_kb": (many.master_mb - few.master_mb) / more * 1024,
        "master_job_ms": (many.master_cpu_s - few.master_cpu_s) / more * 1000,
        "master_worker_ms": worker_s * 1000,
    }
    for one in (few, many, seldom, often, few_workers, more_workers):
        print(f"# {one}")
    for name, value in found.items():
        print(f"| `{name}` | {value:.3g} |")


if __name__ == "__main__":
    main()
