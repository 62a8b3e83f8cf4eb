"""Memory of the process that runs jobs, by jobs in flight.

Jobs that take for ever, begun at 200/s, polled every 10 s; resident memory once all are there, the
submission lag by the server's log, and the sockets that the process has open. By jobs completed:
``profile_job --memory``. From the root of the repository:

    python -m benchmarks.memory --in-flight 1000 5000 20000
"""

from __future__ import annotations

import argparse
import math
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.helpers.real import Locust, Simulator, simulator

UPDATE_INTERVAL_S = 10
_MB = 1e6


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / _MB
    return 0.0


def sockets(pid: int) -> int:
    """How many sockets a process has open."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return sum(1 for link in links if "socket:" in str(link.readlink() if link.exists() else ""))


def in_flight(jobs: int, rate: float) -> str:
    """What ``jobs`` at once take, in words."""
    with (
        simulator("--predict-s=86400", f"--jobs-per-gpu={jobs}", quick=False) as kiosk,
        tempfile.TemporaryDirectory() as name,
    ):
        arguments = ("-u", str(jobs), "-r", str(rate), "--only-summary")
        interval = str(UPDATE_INTERVAL_S)
        locust = Locust(Path(name), *arguments, host=kiosk.url, UPDATE_INTERVAL=interval)
        time.sleep(jobs / rate + UPDATE_INTERVAL_S + 5)
        memory_mb, open_sockets = resident_mb(locust.process.pid), sockets(locust.process.pid)
        words = f"{jobs:,} jobs in flight: {memory_mb:.0f} MB, {open_sockets} sockets, " + _lags(
            kiosk, Path(name)
        )
        for _ in range(2):
            locust.signal(signal.SIGINT)
            time.sleep(2)
        locust.process.wait(timeout=300)
    return words


def _lags(kiosk: Simulator, folder: Path) -> str:
    (ledger,) = folder.glob("results/*.db")
    with closing(sqlite3.connect(ledger)) as opened:
        due = dict(opened.execute("SELECT job_id, due_at FROM tickets").fetchall())
    lags = sorted((s["at"] - due[s["hash"]]) * 1000 for s in kiosk.submissions)
    p50, p99 = (lags[max(0, math.ceil(len(lags) * percent / 100) - 1)] for percent in (50, 99))
    return f"{len(lags):,} submitted, lag p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {lags[-1]:.2f} ms"


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1000, 5000, 20000])
    parser.add_argument("--rate", type=float, default=200.0, help="jobs a second")
    asked = parser.parse_args()
    for jobs in asked.in_flight:
        print(in_flight(jobs, asked.rate), flush=True)


if __name__ == "__main__":
    main()
