"""How often confidence intervals of percentiles hold the truth, on queues whose truth is known.

Simulates stationary M/M/1 queues by Lindley's recursion, and cycles of jobs that begin with an
empty queue, and compares the intervals of kiosk_locust.measurement.intervals with the truth:

    python benchmarks/coverage.py               # about four minutes
    python benchmarks/coverage.py --runs 300 --jobs 1000 5000 20000 100000
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from kiosk_locust.measurement.intervals import Estimate, by_batches, by_cycles

LOADS = (0.0, 0.5, 0.8, 0.9)
COUNTS = (500, 2_000, 10_000, 50_000, 200_000)
PERCENTS = (50, 95, 99)
#: Runs of the longest queues are fewer; each has as much in it as many short ones.
LONG = 50_000
#: Of so few intervals, a coverage says little.
FEW = 20

Values = NDArray[np.float64]


def stays(count: int, load: float, rng: np.random.Generator, *, stationary: bool) -> Values:
    """How long each job is in the system; a load of 0 stands for independent jobs.

    The wait is the free sum of services less gaps, above its least value so far (Lindley).
    """
    service = rng.exponential(1, count)
    if load == 0:
        return service
    first = rng.exponential(1 / (1 - load)) if stationary and rng.random() < load else 0.0
    steps = np.concatenate(([first], service[:-1] - rng.exponential(1 / load, count - 1)))
    path = np.cumsum(steps)
    return path - np.minimum(np.minimum.accumulate(path), 0) + service


def truth(load: float, percent: float) -> float:
    """A stay in a stationary M/M/1 queue is exponential with rate 1 - load."""
    return -math.log(1 - percent / 100) / (1 - load)


def holds(found: Estimate, value: float) -> bool:
    """Whether the interval is given and has the value in it."""
    return found.interval is not None and found.interval.low <= value <= found.interval.high


def naive(values: Values, percent: float, value: float) -> bool:
    """The same for the order statistics that would do, were the jobs independent."""
    ordered, share = np.sort(values), percent / 100
    middle, half = len(values) * share, 1.96 * math.sqrt(len(values) * share * (1 - share))
    high = min(len(values) - 1, math.ceil(middle + half))
    return bool(ordered[math.floor(middle - half) - 1] <= value <= ordered[high])


@dataclass
class Tally:
    """Of ``runs`` runs: intervals given, those that held the truth, naive ones that did."""

    runs: int = 0
    given: int = 0
    held: int = 0
    naive: int = 0

    def add(self, values: Values, plain: list[float], percent: float, value: float) -> None:
        """Count one run; ``plain`` are the values as a list."""
        found = by_batches(plain, percent)
        self.runs += 1
        self.given += found.interval is not None
        self.held += holds(found, value)
        self.naive += naive(values, percent, value)

    @property
    def cells(self) -> str:
        """The measured part of a row in Markdown."""
        covered = f"{self.held / self.given:.0%}" if self.given >= FEW else "-"
        wrong = (self.given - self.held) / self.runs
        return (
            f"{self.naive / self.runs:.0%} | {self.given / self.runs:.0%} | {covered} | {wrong:.1%}"
        )


def batches(runs: int, counts: Sequence[int], rng: np.random.Generator) -> Iterator[str]:
    """A line for each load, length and percentile."""
    for load in LOADS:
        for count in counts:
            tallies = {percent: Tally() for percent in PERCENTS}
            for _ in range(runs if count < LONG else max(40, runs // 4)):
                values = stays(count, load, rng, stationary=True)
                plain = values.tolist()
                for percent, tally in tallies.items():
                    tally.add(values, plain, percent, truth(load, percent))
            for percent, tally in tallies.items():
                yield f"| {load:g} | {count:,} | p{percent} | {tally.cells} |"


def cycles(runs: int, rng: np.random.Generator) -> Iterator[str]:
    """A line for each load and number of cycles of 100 jobs each, p95."""
    for load in (0.5, 0.8, 0.9, 1.5):
        pool = [
            float(np.quantile(stays(100, load, rng, stationary=False), 0.95, method="inverted_cdf"))
            for _ in range(runs * 20)
        ]
        middle = median(pool)
        for count in (6, 10, 20):
            groups = [pool[start : start + count] for start in range(0, runs * count, count)]
            held = sum(holds(by_cycles(group), middle) for group in groups)
            yield f"| {load:g} | {count} | {held / len(groups):.0%} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--jobs", type=int, nargs="+", default=COUNTS, help="jobs a run")
    parser.add_argument("--seed", type=int, default=20)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    print("| load | jobs | percentile | naive covers | given | covers | given and wrong |")
    print("|---|---|---|---|---|---|---|")
    for row in batches(asked.runs, asked.jobs, rng):
        print(row, flush=True)
    print("\n| load | cycles | covers |\n|---|---|---|")
    for row in cycles(asked.runs, rng):
        print(row, flush=True)


if __name__ == "__main__":
    main()
