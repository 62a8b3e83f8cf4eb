"""How often the verdict is right: healthy runs, each sickness at twice its limit, and A/A pairs.

Healthy and sick runs are drawn, with random numbers in place of a machine, and go through the
parts that measure (event loop, waits, silence) in virtual time and through the rules. With
``--real`` healthy runs of real processes on the simulated Kiosk are added. A/A pairs are stationary
queues of one kind: an alarm is given where the intervals of a percentile do not overlap:

    python benchmarks/validity.py
    python benchmarks/validity.py --real 300
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from gevent.event import Event
from numpy.typing import NDArray

from kiosk_locust.measurement.histogram import DurationHistogram
from kiosk_locust.measurement.intervals import by_batches
from kiosk_locust.monitoring.event_loop import LoopWatch
from kiosk_locust.monitoring.process import LOOP_LEAST_S, Silence
from kiosk_locust.verdict.rules import RULES, Backing, ValidityFacts, judge

ROOT = Path(__file__).resolve().parent.parent
#: A healthy run is so far below each limit.
HEALTHY = 0.2
SICK = 2.0
LIMITS = {rule.name: rule.limit for rule in RULES}
PERCENTS = (50, 95)
#: So many real runs go on beside one another.
AT_ONCE = 2

Drawn = Callable[[float, np.random.Generator], dict[str, object]]


class JitteryClock:
    """Virtual time whose sleeps are late by an exponential time with a p99 of ``p99_s``."""

    def __init__(self, p99_s: float, rng: np.random.Generator) -> None:
        self._now = 0.0
        self._mean_s = p99_s / np.log(100)
        self._rng = rng

    def now(self) -> float:
        """Seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and a little more."""
        self._now += seconds + self._rng.exponential(self._mean_s)

    def wait(self, event: Event, seconds: float) -> bool:
        """As ``sleep``."""
        self.sleep(seconds)
        return bool(event.is_set())


def loop_delay(level: float, rng: np.random.Generator) -> dict[str, object]:
    """A minute of an event loop."""
    clock = JitteryClock(level * LIMITS["event-loop"], rng)
    watch = LoopWatch(clock, cpu_s=lambda: 0.0, memory=lambda: None)
    while clock.now() < 60:
        watch.tick()
    return {"loop_delay_p99_s": watch.delay_over_s(LOOP_LEAST_S)}


def p99(field: str, rule: str, count: int) -> Drawn:
    """So many waits, exponential, whose true p99 is ``level`` times the limit."""

    def draw(level: float, rng: np.random.Generator) -> dict[str, object]:
        waits = DurationHistogram()
        for value in rng.exponential(level * LIMITS[rule] / np.log(100), count):
            waits.add(value)
        return {field: waits.percentile_s(99) if rule == "master-reply" else waits.least_p99_s()}

    return draw


def share(field: str, rule: str) -> Drawn:
    """How many of the 1,000 tickets are struck."""
    return lambda level, rng: {field: int(rng.binomial(1000, level * LIMITS[rule]))}


def count(field: str) -> Drawn:
    """Where one is too much, twice as much is two, and a healthy run has none."""
    return lambda level, _: {field: 2 if level > 1 else 0}


def measured(field: str, rule: str, noise: float = 0.05) -> Drawn:
    """A figure that is measured within a few percent."""
    return lambda level, rng: {field: level * LIMITS[rule] * (1 + noise * rng.standard_normal())}


def achieved(level: float, rng: np.random.Generator) -> dict[str, object]:
    """1,000 jobs at 50 a second, with jittery gaps."""
    gaps = rng.normal(0.02, 0.002, 999) / (1 - level * LIMITS["achieved-rate"])
    return {"rate_achieved_per_s": 999 / float(gaps.sum())}


def silence(level: float, rng: np.random.Generator) -> dict[str, object]:
    """Ten answers a second, for a minute, and a pause at some moment of it."""
    found = Silence()
    pause_s = level * LIMITS["silence"]
    frozen_at = rng.uniform(5, 30)
    for began_at in np.sort(rng.uniform(0, 60, 600)):
        answered_at = began_at + 0.01
        if frozen_at <= answered_at < frozen_at + pause_s:
            answered_at = frozen_at + pause_s + rng.uniform(0, 0.01)
        found.ended(float(began_at), float(answered_at), has_response=True)
    return {"silence_s": found.longest_s}


def few_jobs(level: float, _: np.random.Generator) -> dict[str, object]:
    """A p99, which needs 368 jobs."""
    return {"percentiles": (Backing("job.p99", 99, int(368 / level)),)}


DRAWN: dict[str, Drawn] = {
    "submission-lag": p99("submission_lag_p99_s", "submission-lag", 1000),
    "waited-for-user": share("waited_for_user", "waited-for-user"),
    "achieved-rate": achieved,
    "ambiguous": count("ambiguous"),
    "workers-lost": count("workers_lost"),
    "undecided": share("undecided", "undecided"),
    "few-jobs": few_jobs,
    "clock-offset": measured("clock_offset_s", "clock-offset"),
    "clock-error": measured("clock_error_s", "clock-error"),
    "clock-step": count("clock_steps"),
    "event-loop": loop_delay,
    "cpu": measured("cpu_share", "cpu"),
    "socket-wait": p99("socket_wait_p99_s", "socket-wait", 3000),
    "master-reply": p99("master_reply_p99_s", "master-reply", 200),
    "silence": silence,
    "simulator": measured("simulator_cpu_share", "simulator"),
}
BASE = ValidityFacts(is_open=True, tickets=1000, rate_wanted_per_s=50.0, poll_interval_s=1.0)


def reasons(sick: str, rng: np.random.Generator) -> set[str]:
    """What is said of a run in which one thing is sick, or with "" nothing."""
    facts = BASE
    for name, draw in DRAWN.items():
        facts = replace(facts, **draw(SICK if name == sick else HEALTHY, rng))  # type: ignore[arg-type]  # by name
    return {reason.rule for reason in judge(facts).reasons}


def short(runs: int, rng: np.random.Generator) -> None:
    """Short healthy runs with a jolt: up to five of the requests of so many wait for a second."""
    for requests in (1, 5, 10, 20, 40, 100):
        valid, by_p99 = 0, 0
        for _ in range(runs):
            waits = DurationHistogram()
            struck = int(rng.integers(1, 1 + min(5, max(1, requests // 2))))
            times = rng.exponential(HEALTHY * LIMITS["socket-wait"] / np.log(100), requests)
            times[:struck] = 1.0
            for value in times:
                waits.add(value)
            valid += not judge(replace(BASE, socket_wait_p99_s=waits.least_p99_s())).reasons
            by_p99 += not judge(replace(BASE, socket_wait_p99_s=waits.percentile_s(99))).reasons
        print(
            f"healthy, {requests} requests, a jolt: VALID in {valid} of {runs}"
            f" (by the p99 itself: {by_p99})"
        )


def real(runs: int) -> None:
    """Exit codes of healthy runs of real processes: 10 jobs, and every third one job."""
    codes: Counter[int] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in pool.map(_one, range(runs)):
            codes[done.returncode] += 1
            if done.returncode:
                print(done.stderr[-600:])
    print(f"{runs} real runs, {AT_ONCE} at a time, by exit code: {dict(codes)}", flush=True)


def _one(number: int) -> subprocess.CompletedProcess[str]:
    kiosk = (
        "--jobs-per-gpu=64 --predict-s=0.05 --download-s=0.01 --postprocess-s=0.01 --save-s=0.01"
    )
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [
                *(sys.executable, "-m", "locust", "--headless"),
                *("-f", str(ROOT / "locustfiles/kiosk.py")),
                *("-u", "1" if number % 3 == 0 else "10"),
                *("--update-interval", "0.3", "--no-upload-results"),
            ],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "KIOSK_SIMULATOR_ARGS": kiosk},
            capture_output=True,
            check=False,
            text=True,
        )


def stays(jobs: int, load: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """How long each job is in a stationary M/M/1 queue; a load of 0: independent ones (Lindley)."""
    service = rng.exponential(1, jobs)
    if load == 0:
        return service
    steps = np.concatenate([[0.0], service[:-1] - rng.exponential(1 / load, jobs)[1:]])
    walk = np.cumsum(steps)
    before = rng.exponential(1 / (1 - load)) * (rng.random() < load)  # the first one's wait
    waits: NDArray[np.float64] = walk - np.minimum(np.minimum.accumulate(walk), -before)
    return waits + service


def alarms(pairs: int, rng: np.random.Generator) -> None:
    """A/A: two runs of one queue, compared by the intervals of their percentiles."""
    for load, jobs in ((0.0, 2_000), (0.5, 10_000), (0.8, 50_000)):
        for percent in PERCENTS:
            compared = alarmed = 0
            for _ in range(pairs):
                both = [
                    by_batches(stays(jobs, load, rng).tolist(), percent).interval for _ in range(2)
                ]
                if both[0] is None or both[1] is None:
                    continue
                compared += 1
                alarmed += both[0].high < both[1].low or both[1].high < both[0].low
            print(
                f"A/A, load {load}, {jobs:,} jobs, p{percent}: {alarmed} alarms in {compared}"
                f" comparisons ({pairs} pairs; the others have no interval)"
            )


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--healthy", type=int, default=300)
    parser.add_argument("--sick", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--real", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    valid = sum(not reasons("", rng) for _ in range(given.healthy))
    print(f"healthy: VALID in {valid} of {given.healthy}")
    for name in DRAWN:
        found = [reasons(name, rng) for _ in range(given.sick)]
        caught, alone = sum(name in each for each in found), sum(each == {name} for each in found)
        print(f"{name} at twice its limit: caught in {caught} of {given.sick}, alone in {alone}")
    short(given.healthy, rng)
    alarms(given.pairs, rng)
    if given.real:
        real(given.real)


if __name__ == "__main__":
    main()
