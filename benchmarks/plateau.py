"""How often a plateau is found where there is one, and over a step where there is none.

Simulates the ends of jobs at known rates and looks for the plateau as the end of a run does:

    python -m benchmarks.plateau               # about two minutes
    python -m benchmarks.plateau --runs 2000
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from statistics import fmean

from kiosk_locust.measurement.plateau import Plateau, change_points, plateau
from tests.measurement.tracks import binned, poisson, workers

COUNTS = (120, 400, 2_000, 20_000)
#: A plateau that reaches further across a step than this share of its length is over the step.
ACROSS = 0.05

Made = tuple[list[float], list[int]]
Maker = Callable[[int, random.Random], Made]


def ones(ends: list[float]) -> Made:
    """Jobs of one image each."""
    return ends, [1] * len(ends)


def zips(ends: list[float], rng: random.Random) -> Made:
    """ZIPs of 1 to 200 images."""
    return ends, [rng.randint(1, 200) for _ in ends]


def bursts(count: int, rng: random.Random) -> Made:
    """Eight jobs end within a second, as those of a batch on a GPU; Poisson batches."""
    starts = poisson([(count * 0.5, 0.25)], rng)
    return ones(sorted(at + rng.random() for at in starts for _ in range(8)))


def walk(count: int, rng: random.Random) -> Made:
    """A rate that swings by a third of itself every twelfth of the run: no steady rate."""
    spans = [(count / 12, rng.uniform(0.67, 1.33)) for _ in range(12)]
    return ones(poisson(spans, rng))


STATIONARY: dict[str, Maker] = {
    "Poisson": lambda n, rng: ones(poisson([(n, 1.0)], rng)),
    "regular (1 worker)": lambda n, rng: ones(workers([(n, 1)], 0.0, rng)),
    "7 workers, jobs ±50 %": lambda n, rng: ones(workers([(n / 7, 7)], 0.5, rng)),
    "Poisson, ZIPs of 1 to 200": lambda n, rng: zips(poisson([(n, 1.0)], rng), rng),
    "bursts of 8 in 1 s": bursts,
    "swings by a third": walk,
}


def steps(count: int) -> Iterator[tuple[str, float, Maker]]:
    """Runs with one step: their name, when it is in seconds, and their maker."""
    third = count / 28  # equal times at 7 and 21 a second
    yield (
        "1 to 3 nodes, at half of the time",
        third,
        lambda _, rng: ones(workers([(third, 7), (third, 21)], 0.3, rng)),
    )
    yield (
        "Poisson, 7 to 21/s, at half of the time",
        third,
        lambda _, rng: ones(poisson([(third, 7.0), (third, 21.0)], rng)),
    )
    yield (
        "Poisson, 7 to 21/s, at 80 %",
        count / 9.8 * 0.8,
        lambda n, rng: ones(poisson([(n / 9.8 * 0.8, 7.0), (n / 9.8 * 0.2, 21.0)], rng)),
    )
    yield (
        "Poisson, 10 to 12/s, at half of the time",
        count / 22,
        lambda n, rng: ones(poisson([(n / 22, 10.0), (n / 22, 12.0)], rng)),
    )


def find(made: Made) -> Plateau:
    """The plateau of a run whose jobs take 0.01 s: that rule is not what is measured here."""
    return plateau([binned(*made, processing_s=0.01)])


def stationary(runs: int, count: int, maker: Maker, rng: random.Random) -> str:
    """The cells of a row: alarms, plateaus found, their mean share of the time and error."""
    alarms, shares, errors = 0, [], []
    for _ in range(runs):
        ends, images = maker(count, rng)
        track = binned(ends, images, processing_s=0.01)
        mean = sum(track.images) / sum(track.jobs)
        alarms += bool(change_points(track.images, mean**2 / 4))
        found = plateau([track])
        if found.images_per_s is None or found.to_at is None or found.from_at is None:
            continue
        shares.append((found.to_at - found.from_at) / track.makespan_s)
        errors.append(abs(found.images_per_s / (sum(track.images) / track.makespan_s) - 1))
    if not shares:
        return f"{alarms / runs:.1%} | 0.0% | - | -"
    return (
        f"{alarms / runs:.1%} | {len(shares) / runs:.1%} | {fmean(shares):.0%} |"
        f" {fmean(errors):.1%}"
    )


def stepped(runs: int, count: int, at: float, maker: Maker, rng: random.Random) -> str:
    """The cells of a row: no plateau, one on a side of the step, one across it."""
    none, beside, across = 0, 0, 0
    for _ in range(runs):
        found = find(maker(count, rng))
        if found.from_at is None or found.to_at is None:
            none += 1
            continue
        beyond = min(max(0.0, at - found.from_at), max(0.0, found.to_at - at))
        is_across = beyond > ACROSS * (found.to_at - found.from_at)
        across += is_across
        beside += not is_across
    return f"{none / runs:.1%} | {beside / runs:.1%} | {across / runs:.1%}"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--jobs", type=int, nargs="+", default=COUNTS, help="jobs a run")
    parser.add_argument("--seed", type=int, default=20)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    print("| completions | jobs | alarms | plateau found | of the time | error of its rate |")
    print("|---|---|---|---|---|---|")
    for name, maker in STATIONARY.items():
        for count in asked.jobs:
            runs = asked.runs if count < 10_000 else max(20, asked.runs // 10)
            print(f"| {name} | {count:,} | {stationary(runs, count, maker, rng)} |", flush=True)
    print("\n| step | jobs | no plateau | on one side | across the step |\n|---|---|---|---|---|")
    for count in asked.jobs:
        runs = asked.runs if count < 10_000 else max(20, asked.runs // 10)
        for name, at, maker in steps(count):
            print(f"| {name} | {count:,} | {stepped(runs, count, at, maker, rng)} |", flush=True)


if __name__ == "__main__":
    main()
