"""Time and memory of a run's whole end: verdict, results file and report, of many jobs.

    python benchmarks/finish.py                    # 1,000, 10,000 and 100,000 jobs
    python benchmarks/finish.py --jobs 1000000
    python benchmarks/finish.py --jobs 1000 --jobs 1000000 --ledgers /tmp/ledgers   # kept there

The ledger is written through the ledger's own API, so its rate is shown as well. Its end is that
of a run, step by step, in a process of its own; with several numbers of jobs, the exponent is
fitted by which the time grows with them (1: linear).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from gevent.event import Event

from kiosk_locust.assembly.finalize import STEPS, carry_out
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.clock import SystemClock
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.options import Options, TrustOptions, Wanted
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Ticket,
)
from kiosk_locust.simulator.timestamps import consumer_time, frontend_time

META = {"run_id": "0" * 32, "run_name": "finish", "options": '{"num_cycles": 1, "count": 0}'}
START = 1_800_000_000.0
GROUP = 1_000


def closed_record(number: int) -> Record:
    """A job as the Kiosk leaves it, its times a little different from the next one's."""
    due = START + number * 0.05
    ticket = Ticket(number, 1, number, due, "image.png")
    request = JobRequest("segmentation", "image.png", "uploads/image.png")
    sent = due + 0.001
    record = Record(ticket, "Kiosk", request, due - 1, job_id=f"segmentation:image.png:{number}")
    record.submitted_at = sent
    record.attempts.append(
        Attempt(1, due, sent, sent + 0.002, AttemptResult.ACCEPTED, 200, job_id=record.job_id)
    )
    took = 2.0 + (number * 37 % 1000) / 100
    created = math.floor((sent + 0.001) * 1000) / 1000
    seen_at = (sent + 1, sent + 1 + took / 2, sent + took + 0.5)
    for status, seen in zip(("new", "predicting", "done"), seen_at, strict=True):
        by = f"consumer-{number % 8}" if status != "new" else ""
        wrote = created if status == "new" else seen - 0.4
        record.changes.append(StatusChange(status, seen, seen - 1, wrote, by))
    record.snapshot = Snapshot(
        {
            "status": "done",
            "created_at": frontend_time(created),
            "updated_at": consumer_time(created + took),
            "updated_by": f"consumer-{number % 8}",
            "finished_at": consumer_time(created + took),
            "total_time": str(took / 2),
            "download_time": "0.12",
            "prediction_time": str(took / 4),
            "postprocess_time": "0.2",
            "upload_time": "0.3",
            "output_url": "https://storage.example.org/output/0123456789abcdef.zip",
        }
    )
    record.polls, record.observed_after = 3, sent + took - 0.5
    record.observed_at = record.closed_at = sent + took + 0.5
    record.outcome = Outcome.DONE
    return record


def write_ledger(path: Path, jobs: int) -> float:
    """Write ``jobs`` whole lives of records; returns the seconds it took."""
    begun = time.perf_counter()
    ledger = Ledger.create(path, META)
    ledger.begin_cycle(1, START)
    for number in range(jobs):
        record = closed_record(number)
        ledger.lease(record)
        ledger.attempt(record, record.attempts[0])
        ledger.submit(record)
        for change in record.changes:
            ledger.change(record, change)
        ledger.close_ticket(record, measure(record))
        if number % GROUP == GROUP - 1:
            ledger.settle()
    ledger.close()
    return time.perf_counter() - begun


THRESHOLDS = ("job.p95 < 60s", "job_since_due.p99 < 60s", "queue_wait.p95 < 60s", "failed < 1%")


@dataclass(frozen=True, slots=True)
class End:
    """What the end of a run took; ``steps_s`` by their names."""

    jobs: int
    steps_s: dict[str, float]
    cpu_s: float
    json_mb: float
    report_mb: float
    peak_mb: float

    @property
    def seconds(self) -> float:
        """All steps together."""
        return math.fsum(self.steps_s.values())


def finish(path: Path, jobs: int) -> End:
    """Carry out the steps of a run's end on a ledger, in this process."""
    trust = TrustOptions(wanted=tuple(Wanted(text, "--threshold") for text in THRESHOLDS))
    run = ClosedRun(
        cast(Options, SimpleNamespace(trust=trust)),
        Counter({Outcome.DONE: jobs}),
        ALL_CLOSED,
        is_over=True,
        given_up=Event(),
    )
    inputs = FinalizeInputs(run, "finish", path.parent, SystemClock())
    ended = Finalization.of(inputs, Ledger.open(path))
    steps_s: dict[str, float] = {}
    cpu_begun = time.process_time()
    for step in STEPS:
        begun = time.perf_counter()
        ended = carry_out([step], ended)
        steps_s[step.__name__] = time.perf_counter() - begun
    cpu_s = time.process_time() - cpu_begun
    if ended.problems:
        raise SystemExit("; ".join(ended.problems))
    sizes = {file.suffix: file.stat().st_size / 1e6 for file in ended.files}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return End(jobs, steps_s, cpu_s, sizes[".json"], sizes[".html"], peak_mb)


def ledger_of(folder: Path, jobs: int) -> Path:
    """The ledger of so many jobs in ``folder``; it is written if it is not there."""
    path = folder / str(jobs) / "run.db"
    if not path.exists():
        path.parent.mkdir(parents=True)
        wrote_s = write_ledger(path, jobs)
        size = path.stat().st_size / 1e6
        rate = f"{jobs / wrote_s:,.0f} records/s"
        print(f"{jobs:>9,} jobs: ledger written at {rate}, {size:,.0f} MB", flush=True)
    return path


def exponent(jobs: Sequence[int], seconds: Sequence[float]) -> float:
    """The least-squares slope of the logarithms."""
    x, y = [math.log(number) for number in jobs], [math.log(time_s) for time_s in seconds]
    x_mean, y_mean = math.fsum(x) / len(x), math.fsum(y) / len(y)
    products = math.fsum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return products / math.fsum((a - x_mean) ** 2 for a in x)


@contextlib.contextmanager
def folder_for(given: Path | None) -> Iterator[Path]:
    """The folder that was given, or one that is deleted afterwards."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def main() -> None:
    """Print a line for each number of jobs; finishing runs in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, action="append")
    parser.add_argument("--ledgers", type=Path, help="keep ledgers here, and use those of before")
    parser.add_argument("--ledger", type=Path, help="finish this ledger, print JSON (used inside)")
    asked = parser.parse_args()
    numbers = asked.jobs or [1_000, 10_000, 100_000]
    if asked.ledger:
        print(json.dumps(asdict(finish(asked.ledger, numbers[0]))))
        return
    ends = []
    with folder_for(asked.ledgers) as folder:
        for jobs in numbers:
            path = ledger_of(folder, jobs)
            command = [sys.executable, __file__, "--ledger", str(path), "--jobs", str(jobs)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            end = End(**json.loads(done.stdout))
            ends.append(end)
            steps = ", ".join(f"{name} {took:.2f}" for name, took in end.steps_s.items())
            print(
                f"{jobs:>9,} jobs: {end.seconds:.2f} s ({end.cpu_s:.2f} s of CPU; {steps}),"
                f" JSON {end.json_mb:,.1f} MB, report {end.report_mb:.2f} MB,"
                f" peak memory {end.peak_mb:.0f} MB",
                flush=True,
            )
    for what, times in (
        ("wall time", [end.seconds for end in ends]),
        ("CPU time", [end.cpu_s for end in ends]),
    ):
        if len(ends) > 1:
            print(f"{what} grows with jobs to the power of {exponent(numbers, times):.2f}")
        if len(ends) > 2:
            last = exponent(numbers[-2:], times[-2:])
            print(f"  between the last two: {last:.2f}")


if __name__ == "__main__":
    main()
