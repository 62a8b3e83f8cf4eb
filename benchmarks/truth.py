"""What is reported, beside what the simulated Kiosk's own log says really happened.

    python benchmarks/truth.py             # 10 seeds of each kind of arrivals
    python benchmarks/truth.py --freeze 20 # a Kiosk that is stopped for 20 s in mid-run

Every time must lie within the bound that is stated for it; arrivals that are to be Poisson's are
tried with a test of Kolmogorov and Smirnov, by the moments at which the server received them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.real import Locust, run_locust, simulator, wait_until
from tests.truth import beyond_their_bounds, duration_errors, fisher, kolmogorov_smirnov, told

JOBS = 200
RATE = 50.0
ARRIVALS = {
    "constant": ("-r", str(RATE)),
    "poisson": ("-r", str(RATE), "--arrival", "poisson", "--arrival-seed"),
    "ramp": ("--ramp", "20:80:4"),
    "trace": ("--arrival-trace", "trace.txt"),
}


def compare(kind: str, seed: int) -> float | None:
    """One run: print how far durations are off, and what lies beyond its bound.

    Returns the p of the test of its arrivals, as received, where they are to be Poisson's.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        moments = (4 * (number / JOBS) ** 1.5 for number in range(JOBS))
        (folder / "trace.txt").write_text("\n".join(str(moment) for moment in moments))
        given = (*ARRIVALS[kind], *([str(seed)] if kind == "poisson" else []))
        with simulator(f"--seed={seed}", "--spread=0.5", "--jobs-per-gpu=8") as kiosk:
            finished = run_locust(folder, "-u", str(JOBS), *given, host=kiosk.url)
            jobs = told(finished, kiosk)
    if len(jobs) != JOBS:
        raise SystemExit(f"{kind}, seed {seed}: {finished.outcomes}\n{finished.output}")
    frontend = finished.results[0]["clocks"]["frontend"]
    line = (
        f"{kind:8} seed {seed:2}: durations off by {max(duration_errors(jobs)) * 1000:.3f} ms at"
        f" most, clock {frontend['offset_s'] * 1000:+.3f} ms within"
        f" {frontend['error_s'] * 1000:.3f} ms, beyond a bound: {len(beyond_their_bounds(jobs))}"
    )
    received = None
    if kind == "poisson":
        arrived = sorted(each.arrived_at for each in jobs)
        gaps = [late - early for early, late in pairwise(arrived)]
        wanted = [late - early for early, late in pairwise(each.job["due_at"] for each in jobs)]
        received = kolmogorov_smirnov(gaps, 1 / RATE)
        line += (
            f", Kolmogorov-Smirnov p = {received:.2f}"
            f" (as planned {kolmogorov_smirnov(wanted, 1 / RATE):.2f})"
            f", latest {max(each.arrived_at - each.job['due_at'] for each in jobs) * 1000:.0f} ms"
        )
    print(line, flush=True)
    return received


def freeze(seconds: float) -> None:
    """A Kiosk that stands still for so long in the middle of 40 s at 10 jobs/s."""
    with tempfile.TemporaryDirectory() as name, simulator() as kiosk:
        run = Locust(Path(name), "-u", "400", "-r", "10", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) > 100, what="jobs")
        os.kill(kiosk.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(kiosk.pid, signal.SIGCONT)
        finished = run.finish(300)
    found = finished.results[0]["summary"]["percentiles_s"]
    print(f"frozen for {seconds:g} s; {dict(finished.outcomes)}")
    for name in ("duration", "since_due", "submission_lag", "socket_wait", "submission_http"):
        row = found[name]
        figures = ", ".join(f"{key} {row[key]:.3g} s" for key in ("p50", "p90", "p95", "p99"))
        print(f"{name:16} {figures}")


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--kind", choices=ARRIVALS, action="append", help="of arrivals (all)")
    parser.add_argument("--freeze", type=float, help="seconds")
    asked = parser.parse_args()
    if asked.freeze:
        freeze(asked.freeze)
        return
    for kind in asked.kind or ARRIVALS:
        tested = [compare(kind, seed) for seed in range(1, asked.seeds + 1)]
        chances = [chance for chance in tested if chance is not None]
        if chances:
            print(
                f"{kind}: {len(chances)} tests together, by Fisher's method:"
                f" p = {fisher(chances):.2f}; the least is {min(chances):.2f}, and one as low is in"
                f" {1 - (1 - min(chances)) ** len(chances):.0%} of sound rows"
            )


if __name__ == "__main__":
    main()
