"""Time, memory and size of a run's report, from a ledger of many jobs.

    python benchmarks/report.py                    # 10,000 and 100,000 jobs
    python benchmarks/report.py --jobs 1000000

The report is built as ``python -m kiosk_locust report`` does it, summary and all, in a process
of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from finish import write_ledger  # the benchmark beside this one


def build(ledger: Path) -> tuple[float, float, float, float]:
    """Build the report; seconds, CPU seconds, size in MB, and the greatest memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "kiosk_locust", "report", str(ledger)]
    subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - begun
    (report,) = ledger.parent.glob("*.html")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, report.stat().st_size / 1e6, used.ru_maxrss / 1024


def main() -> None:
    """Print a line for each number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, action="append")
    for jobs in parser.parse_args().jobs or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.db"
            write_ledger(path, jobs)
            took, cpu, size, peak = build(path)
        print(
            f"{jobs:>9,} jobs: {took:.1f} s ({cpu:.1f} s of CPU), {size:.2f} MB,"
            f" peak memory {peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
