"""How soon a job's id is safe: from the answer at a worker to the master's ledger on the disk.

Runs a master and workers against a simulated Kiosk, each in a process of its own, and watches the
ledger's file as any other reader: SQLite shows a commit to others once it is synced. That moment
is compared with the one at which the worker had received the submission's answer. The watcher
looks every ms, and what it sees is so much late at most, plus its query.

    python benchmarks/job_id_delay.py            # 500 jobs at 50/s, 2 workers, 3 runs
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from sidebyside.ports import free_port

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk

ROOT = Path(__file__).resolve().parent.parent
LOOK_S = 0.001
LIMIT_S = 300


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """One Locust process in a folder of its own."""
    folder.mkdir()
    command = (sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "kiosk.py"))
    return subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def watch(master: subprocess.Popen[bytes], results: Path, jobs: int) -> dict[int, float]:
    """When (epoch seconds) each ticket's job id was first seen in the ledger, until the end."""
    seen: dict[int, float] = {}
    while not (found := list(results.glob("*.db"))):
        time.sleep(0.05)
    time.sleep(0.5)  # its tables are made
    version = -1
    with closing(sqlite3.connect(f"{found[0].as_uri()}?mode=ro", uri=True)) as ledger:
        while master.poll() is None:
            (now_version,) = ledger.execute("PRAGMA data_version").fetchone()
            if now_version != version:
                version = now_version
                rows = ledger.execute("SELECT id FROM tickets WHERE job_id IS NOT NULL").fetchall()
                now = time.time()
                for (ticket,) in rows:
                    seen.setdefault(ticket, now)
                if len(seen) == jobs:
                    break  # the master tidies the file only when nobody reads it
            time.sleep(LOOK_S)
    return seen


def run_once(jobs: int, rate: float, workers: int) -> list[float]:
    """The delays of one run, sorted, in milliseconds."""
    port = str(free_port())
    with tempfile.TemporaryDirectory() as name, EmbeddedKiosk("--predict-s=1") as url:
        folder = Path(name)
        plan = ("--headless", "--only-summary", "-u", str(jobs), "-r", str(rate), "--host", url)
        bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
        expect = ("--expect-workers", str(workers), "--file", "image.png")
        master = start(folder / "master", *plan, *bind, *expect)
        others = [
            start(folder / f"worker{number}", "--worker", "--master-port", port)
            for number in range(workers)
        ]
        try:
            seen = watch(master, folder / "master" / "results", jobs)
            if master.wait(LIMIT_S) != 0:
                raise SystemExit(f"the master ended with exit code {master.returncode}")
        finally:
            for process in (master, *others):
                if process.poll() is None:
                    process.terminate()
                process.wait()
        (path,) = (folder / "master" / "results").glob("*.db")
        with closing(sqlite3.connect(path)) as ledger:
            received = dict(
                ledger.execute(
                    "SELECT ticket_id, received_at FROM attempts WHERE result = 'accepted'"
                ).fetchall()
            )
    if len(received) != jobs or not received.keys() <= seen.keys():
        raise SystemExit(f"{len(seen)} job ids were seen, of {len(received)} submissions: not all")
    return sorted((seen[ticket] - at) * 1000 for ticket, at in received.items())


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rate", type=float, default=50.0, help="jobs a second")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    print(f"{asked.jobs} jobs at {asked.rate:g}/s, {asked.workers} workers")
    for number in range(asked.runs):
        delays = run_once(asked.jobs, asked.rate, asked.workers)
        print(
            f"run {number + 1}: p50 {statistics.median(delays):.1f} ms,"
            f" p99 {statistics.quantiles(delays, n=100)[98]:.1f} ms, max {delays[-1]:.1f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
