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
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kiosk_locust.model.arrivals import offsets
from tests.helpers.real import Locust, run_locust, simulator, wait_until
from tests.helpers.scenarios import make_options
from tests.helpers.truth import (
    beyond_their_bounds,
    duration_errors,
    fisher,
    kolmogorov_smirnov,
    told,
)

JOBS = 200
RATE = 50.0
ARRIVALS = {
    "constant": ("-r", str(RATE)),
    "poisson": ("-r", str(RATE), "--arrival", "poisson", "--arrival-seed"),
    "ramp": ("--ramp", "20:80:4"),
    "trace": ("--arrival-trace", "trace.txt"),
}


@dataclass(frozen=True)
class Arrivals:
    """How likely arrivals as uneven are Poisson's, by plan and as received; how late the latest."""

    planned: float
    received: float
    latest_s: float


def compare(kind: str, seed: int) -> Arrivals | None:
    """One run: print how far durations are off, and what lies beyond its bound.

    Returns what came of its arrivals, where they are to be Poisson's.
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
    found = None
    if kind == "poisson":
        arrived = sorted(each.arrived_at for each in jobs)
        found = Arrivals(
            _chance([each.job["due_at"] for each in jobs]),
            _chance(arrived),
            max(each.arrived_at - each.job["due_at"] for each in jobs),
        )
        line += (
            f", Kolmogorov-Smirnov p = {found.received:.3f} (as planned {found.planned:.3f}),"
            f" latest {found.latest_s * 1000:.0f} ms"
        )
    print(line, flush=True)
    return found


def _chance(moments: Sequence[float]) -> float:
    """That gaps as uneven as between these moments are exponential, with the mean wanted."""
    return kolmogorov_smirnov([late - early for early, late in pairwise(moments)], 1 / RATE)


def together(rows: Sequence[Arrivals]) -> None:
    """All runs with Poisson arrivals as one test: of ten sound ones, 40 % have a p below 0.05.

    Those in which a submission was later than two mean gaps are told apart: jobs that a jolt of
    the machine held up are sent in a clump, which is no matter of chance.
    """
    if not rows:
        return
    calm = [each for each in rows if each.latest_s <= 2 / RATE]
    print(
        f"poisson: {len(rows)} tests together, by Fisher's method: as planned"
        f" p = {fisher([each.planned for each in rows]):.2f}, as received"
        f" p = {fisher([each.received for each in rows]):.2g}; of the {len(calm)} runs without a"
        f" submission later than {2000 / RATE:.0f} ms, as received"
        f" p = {fisher([each.received for each in calm]):.2f}"
    )


def plans(seeds: int) -> None:
    """The schedules alone, of very many seeds: their p must be spread evenly from 0 to 1."""
    chances = []
    for seed in range(1, seeds + 1):
        options = make_options(
            count=JOBS, users=JOBS, arrival="poisson", arrival_seed=seed, start_delay_s=1 / RATE
        )
        chances.append(_chance([at for at in offsets(options, 1) if at is not None]))
    shares = ", ".join(
        f"{sum(each < bound for each in chances) / seeds:.1%} below {bound}"
        for bound in (0.01, 0.05, 0.1, 0.5)
    )
    print(f"poisson: of {seeds} schedules by themselves, p is {shares}")


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
    parser.add_argument("--plans", type=int, default=1000, help="schedules to try by themselves")
    parser.add_argument("--freeze", type=float, help="seconds")
    asked = parser.parse_args()
    if asked.freeze:
        freeze(asked.freeze)
        return
    plans(asked.plans)
    for kind in asked.kind or ARRIVALS:
        tested = [compare(kind, seed) for seed in range(1, asked.seeds + 1)]
        together([each for each in tested if each is not None])


if __name__ == "__main__":
    main()
