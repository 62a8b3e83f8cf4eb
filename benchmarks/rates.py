"""How late submissions are at growing rates, and the highest rate that holds.

    python benchmarks/rates.py                                # both; about 8 minutes
    python benchmarks/rates.py --only lag --rates 50,200
    python benchmarks/rates.py --only highest --workers 0,2   # one process, then 2 workers

The lag is when the simulated Kiosk began to read a submission, by its own log, less the job's due
time. Jobs take 1 s and are polled every 10 s (lag), or every 2 s (highest). A rate holds if the p99
of the lag is under 100 ms and the rate within 2 %; rates are tried upwards until one fails twice.
Which side was the limit is said with each: on 2 cores it is often the simulator.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the package, for what follows

from sidebyside.tables import append, machine, spread, table
from sidebyside.trial import Trial, try_rate

LAG_POLL_S = 10.0
HIGHEST_POLL_S = 2.0
SECONDS = 10.0
FEWEST_JOBS = 200
LAG_RATES = "10,50,200,1000"
HIGHEST_RATES = "200,300,400,500,600,700,800,1000,1200,1500,2000"


def lag(rates: list[float], runs: int, note: Callable[[Trial], None]) -> str:
    """The table of lags by rate, one process."""
    rows = []
    for rate in rates:
        trials = []
        for _ in range(runs):
            trials.append(try_rate(rate, max(FEWEST_JOBS, int(rate * SECONDS)), LAG_POLL_S, 0))
            note(trials[-1])
        columns: list[list[float]] = [
            [each.lag_p50_ms for each in trials],
            [each.lag_p99_ms for each in trials],
            [each.lag_max_ms for each in trials],
            [each.rate_error_percent for each in trials],
            [100 * each.client_share for each in trials],
            [100 * each.server_share for each in trials],
        ]
        limits = " / ".join(sorted({each.limit for each in trials}))
        rows.append([f"{rate:g}", *(spread(column) for column in columns), limits])
    names = ["jobs/s", "lag p50, ms", "p99, ms", "max, ms", "rate off by, %"]
    return table([*names, "client % of a core", "simulator % of a core", "limit"], rows)


def highest(
    rates: list[float], workers: int, note: Callable[[Trial], None]
) -> tuple[Trial | None, Trial | None]:
    """The last rate that held, and the first that did not."""
    held = failed = None
    for rate in rates:
        for _ in range(2):
            trial = try_rate(rate, int(rate * SECONDS), HIGHEST_POLL_S, workers)
            note(trial)
            if trial.holds:
                held = trial
                break
        else:
            failed = trial
            break
    return held, failed


def line(trial: Trial) -> str:
    """One trial in words."""
    where = f"{trial.workers} workers" if trial.workers else "one process"
    return (
        f"{trial.rate:g} jobs/s, {where}: {'holds' if trial.holds else 'does not hold'}, lag p50"
        f" {trial.lag_p50_ms:.2f} ms, p99 {trial.lag_p99_ms:.2f} ms, rate off by"
        f" {trial.rate_error_percent:+.2f} %, client {100 * trial.client_share:.0f} % and simulator"
        f" {100 * trial.server_share:.0f} % of a core, limit: {trial.limit}"
    )


def main() -> None:
    """Print a line for each trial, then the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", choices=("lag", "highest"))
    parser.add_argument("--rates", default="", help="jobs a second, with commas between")
    parser.add_argument("--runs", type=int, default=3, help="of each rate, for the lag")
    parser.add_argument("--workers", default="0,2", help="numbers; 0: one process (%(default)s)")
    parser.add_argument("--json", type=Path, help="file to add a line to for each trial")
    asked = parser.parse_args()
    print(machine())

    def note(trial: Trial, program: str) -> None:
        append(asked.json, program, asdict(trial))
        print(line(trial), flush=True)

    if asked.only != "highest":
        rates = numbers(asked.rates or LAG_RATES)
        print("\n" + lag(rates, asked.runs, lambda trial: note(trial, "lag")) + "\n", flush=True)
    if asked.only != "lag":
        rows = []
        for workers in numbers(asked.workers):
            rates = numbers(asked.rates or HIGHEST_RATES)
            held, failed = highest(rates, int(workers), lambda trial: note(trial, "highest"))
            where = f"{workers:g} workers and a master" if workers else "one process"
            rows.append([where, described(held, "none"), described(failed, "none of those tried")])
        print("\n" + table(["", "the highest that holds", "the first that does not"], rows))


def described(trial: Trial | None, otherwise: str) -> str:
    """A trial in a table's cell, and what stands there if there is none."""
    if trial is None:
        return otherwise
    return (
        f"{trial.rate:g} jobs/s: p99 {trial.lag_p99_ms:.1f} ms, {trial.jobs_s:.0f} jobs/s,"
        f" client {100 * trial.client_share:.0f} %, simulator {100 * trial.server_share:.0f} %"
        f" of a core; limit: {trial.limit}"
    )


def numbers(text: str) -> list[float]:
    """Numbers with commas between."""
    return [float(word) for word in text.split(",") if word.strip()]


if __name__ == "__main__":
    main()
