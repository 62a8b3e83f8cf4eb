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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.finish import write_ledger


def build(ledger: Path) -> tuple[float, float, float]:
    """Build the report; seconds, size in MB, and the greatest memory so far in MB."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "kiosk_locust", "report", str(ledger)]
    subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - begun
    (report,) = ledger.parent.glob("*.html")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return took, report.stat().st_size / 1e6, peak


def main() -> None:
    """Print a line for each number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, action="append")
    for jobs in parser.parse_args().jobs or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.db"
            write_ledger(path, jobs)
            took, size, peak = build(path)
        print(f"{jobs:>9,} jobs: {took:.1f} s, {size:.2f} MB, peak memory {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
