"""Time and memory of finishing a run: results file and summary from a ledger of many jobs.

    python benchmarks/finish.py                    # 1,000, 10,000 and 100,000 jobs
    python benchmarks/finish.py --jobs 1000000

The ledger is written through the ledger's own API, so its rate is shown as well.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kiosk_locust import results
from kiosk_locust.ledger import Ledger
from kiosk_locust.record import (
    Attempt,
    AttemptResult,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Ticket,
)
from kiosk_locust.simulator.stamps import consumer_time, frontend_time
from kiosk_locust.snapshot import Snapshot

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
        ledger.close_ticket(record)
        if number % GROUP == GROUP - 1:
            ledger.settle()
    ledger.close()
    return time.perf_counter() - begun


def finish(path: Path) -> dict[str, float]:
    """Write results and summary of a ledger; seconds, and the process's greatest memory in MB."""
    begun = time.perf_counter()
    written = results.write_all(path, path.parent)
    took = time.perf_counter() - begun
    size = sum(file.stat().st_size for file in written.paths) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"finish_s": took, "json_mb": size, "peak_mb": peak}


def main() -> None:
    """Print a line for each number of jobs; finishing runs in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, action="append")
    parser.add_argument("--ledger", type=Path, help="finish this ledger, print JSON (used inside)")
    asked = parser.parse_args()
    if asked.ledger:
        print(json.dumps(finish(asked.ledger)))
        return
    for jobs in asked.jobs or [1_000, 10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.db"
            wrote_s = write_ledger(path, jobs)
            size = path.stat().st_size / 1e6
            command = [sys.executable, __file__, "--ledger", str(path)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"{jobs:>9,} jobs: ledger written at {jobs / wrote_s:,.0f} records/s, {size:,.0f} MB;"
            f" results and summary {found['finish_s']:.2f} s, {found['json_mb']:,.1f} MB,"
            f" peak memory {found['peak_mb']:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
