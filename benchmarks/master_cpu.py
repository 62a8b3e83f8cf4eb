"""What a record costs a master: its processor time, from one number of closed tickets to another.

A master and its workers on one machine, jobs of a tenth of a second on a simulated Kiosk. From the
root of the repository:

    python -m benchmarks.master_cpu --workers 4 --jobs 4000 --rate 200
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from tests.helpers.real import Locust, simulator, wait_until
from tests.helpers.servers import free_port

_TICKS_A_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor time of a process, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_S


def closed(folder: Path) -> int:
    """How many tickets the ledger has closed; 0 where there is none yet."""
    for path in folder.glob("results/*.db"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as ledger:
            try:
                sql = "SELECT count(*) FROM tickets WHERE state = 'closed'"
                return int(ledger.execute(sql).fetchone()[0])
            except sqlite3.OperationalError:
                return 0
    return 0


def run(workers: int, jobs: int, rate: float) -> None:
    """Print what one run came to."""
    with simulator() as kiosk, tempfile.TemporaryDirectory() as name:
        port, root = str(free_port()), Path(name)

        def start(own: str, *arguments: str) -> Locust:
            folder = root / own
            folder.mkdir()
            is_master = own == "master"
            host = kiosk.url if is_master else ""
            return Locust(folder, *arguments, host=host, headless=is_master, UPDATE_INTERVAL="2")

        master = start(
            *("master", "--master", "--master-bind-port", port, "--only-summary"),
            *("--expect-workers", str(workers), "-u", str(jobs), "-r", str(rate)),
        )
        others = [
            start(f"worker{number}", "--worker", "--master-port", port) for number in range(workers)
        ]
        try:
            folder, marks = root / "master", []
            for wanted in (jobs // 10, jobs * 9 // 10):
                wait_until(lambda: closed(folder) >= wanted, 300, what=f"{wanted} records")  # noqa: B023
                marks.append((closed(folder), cpu_s(master.process.pid)))
            master.finish(timeout_s=300)
        finally:
            for each in (master, *others):
                if each.process.poll() is None:
                    each.process.kill()
                each.process.wait()
    (first, first_s), (last, last_s) = marks
    print(
        f"{workers} workers, {rate:g} jobs/s: {(last_s - first_s) / (last - first) * 1000:.3f} ms"
        f" of the master's processor time a record ({last - first:,} records)",
        flush=True,
    )


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=200.0, help="jobs a second")
    asked = parser.parse_args()
    run(asked.workers, asked.jobs, asked.rate)


if __name__ == "__main__":
    main()
