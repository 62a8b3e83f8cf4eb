"""Time, memory and size of a run's report, from a ledger of many jobs.

    python benchmarks/report.py                    # 10,000 and 100,000 jobs
    python benchmarks/report.py --jobs 1000000 --ledgers /tmp/ledgers   # kept there

The report is built as ``python -m kiosk_locust report`` does it, in a process of its own: once of
a ledger whose run died, so that everything is worked out, and once of one that was judged.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from finish import folder_for, ledger_of  # the benchmark beside this one

FINISH = Path(__file__).with_name("finish.py")


def build(ledger: Path) -> tuple[float, float, float, float]:
    """Build the report; seconds, CPU seconds, size in MB, and the greatest memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "kiosk_locust", "report", str(ledger)]
    subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - begun
    report = ledger.with_name("finish.html")  # the run's name
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # the greatest of all so far, of memory
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, report.stat().st_size / 1e6, used.ru_maxrss / 1024


def forget(ledger: Path) -> None:
    """Make it the ledger of a run that died before it was judged."""
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        db.execute("DELETE FROM meta WHERE key IN ('judgement', 'page')")
        db.commit()


def main() -> None:
    """Print two lines for each number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, action="append")
    parser.add_argument("--ledgers", type=Path, help="keep ledgers here, and use those of before")
    asked = parser.parse_args()
    with folder_for(asked.ledgers) as folder:
        for jobs in asked.jobs or [10_000, 100_000]:
            path = ledger_of(folder, jobs)
            forget(path)
            show(jobs, "died before it was judged", build(path))
            end = [sys.executable, str(FINISH), "--ledger", str(path), "--jobs", str(jobs)]
            subprocess.run(end, check=True, stdout=subprocess.PIPE)
            show(jobs, "judged", build(path))


def show(jobs: int, which: str, found: tuple[float, float, float, float]) -> None:
    """Print a line."""
    took, cpu, size, peak = found
    print(
        f"{jobs:>9,} jobs, {which}: {took:.1f} s ({cpu:.1f} s of CPU), {size:.2f} MB,"
        f" peak memory {peak:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
