"""How far behind its slot a submission arrives, as the server sees it.

Runs the plugin against a simulated Kiosk in a process of its own, several times, and compares
the moment at which the server began to read each POST /api/predict with the ticket's due time:

    python benchmarks/submission_lag.py            # 500 jobs at 50/s, 5 runs
    python benchmarks/submission_lag.py --jobs 2000 --rate 200 --runs 3
"""

from __future__ import annotations

import argparse
import math
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path

import requests

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Lags:
    """What one run showed; lags in milliseconds, the rate against the one wanted in per cent."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    rate_error_percent: float


def nearest_rank(ordered: list[float], percent: float) -> float:
    """The smallest value that is not less than ``percent`` of all values."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def run_once(jobs: int, rate: float, update_interval_s: float) -> Lags:
    """One run of ``jobs`` at ``rate`` a second, on a Kiosk that starts and ends with it."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedKiosk("--predict-s=1") as url:
        command = [
            *(sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "kiosk.py")),
            *("--headless", "-u", str(jobs), "-r", str(rate), "--only-summary"),
            *("--host", url, "--file", "image.png", "--update-interval", str(update_interval_s)),
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, timeout=600
        )
        log = requests.get(f"{url}/simulator/log", timeout=30).json()
        (ledger,) = Path(folder).glob("results/*.db")
        with closing(sqlite3.connect(ledger)) as opened:
            due = dict(opened.execute("SELECT job_id, due_at FROM tickets").fetchall())
    arrived = {p["hash"]: p["at"] for p in log["predicts"] if p["hash"]}
    if len(arrived) != jobs or arrived.keys() != due.keys():
        raise SystemExit(f"{len(arrived)} submissions at the server, {len(due)} records: not equal")
    lags = sorted((arrived[key] - due[key]) * 1000 for key in due)
    times = sorted(arrived.values())
    achieved = (jobs - 1) / (times[-1] - times[0])
    return Lags(
        nearest_rank(lags, 50), nearest_rank(lags, 99), lags[-1], (achieved / rate - 1) * 100
    )


def main() -> None:
    """Print a line for each run, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rate", type=float, default=50.0, help="jobs a second")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--update-interval", type=float, default=10.0, help="seconds")
    asked = parser.parse_args()
    print(f"{asked.jobs} jobs at {asked.rate:g}/s, polled every {asked.update_interval:g} s")
    found = []
    for number in range(asked.runs):
        lags = run_once(asked.jobs, asked.rate, asked.update_interval)
        found.append(lags)
        print(f"run {number + 1}: {line(lags)}", flush=True)
    columns = zip(*map(astuple, found), strict=True)
    print("median: " + line(Lags(*map(statistics.median, columns))))


def line(lags: Lags) -> str:
    """One run in words."""
    return (
        f"lag p50 {lags.p50_ms:.2f} ms, p99 {lags.p99_ms:.2f} ms, max {lags.max_ms:.2f} ms;"
        f" rate off by {lags.rate_error_percent:+.3f} %"
    )


if __name__ == "__main__":
    main()
