"""Completions of runs whose rates are known, and their bins, counted without the ledger."""

from __future__ import annotations

import random
from collections.abc import Sequence

from kiosk_locust.measurement.plateau import SAMPLES, Track, bins


def binned(
    ends: Sequence[float],
    images: Sequence[int] | None = None,
    *,
    processing_s: float | None = 1.0,
    makespan_s: float | None = None,
    is_waiting: bool | None = None,
) -> Track:
    """The track of jobs that ended at these moments, with so many images each (1)."""
    pairs = sorted(zip(ends, images or [1] * len(ends), strict=True))
    first, last = pairs[0][0], pairs[-1][0]
    count = bins(len(pairs))
    width_s = (last - first) / count
    jobs, done = [0] * count, [0.0] * count
    for end, made in pairs[1:]:
        place = min(count - 1, int((end - first) / width_s))
        jobs[place] += 1
        done[place] += made
    waiting = [] if is_waiting is None else [int(is_waiting)] * (count * SAMPLES)
    return Track(first, width_s, jobs, done, makespan_s or last - first, processing_s, waiting)


def poisson(spans: Sequence[tuple[float, float]], rng: random.Random) -> list[float]:
    """Moments of a Poisson process: for each span its seconds and its rate a second."""
    found, start = [], 0.0
    for seconds, rate in spans:
        at = start + rng.expovariate(rate)
        while at < start + seconds:
            found.append(at)
            at += rng.expovariate(rate)
        start += seconds
    return found


def workers(spans: Sequence[tuple[float, int]], spread: float, rng: random.Random) -> list[float]:
    """Ends of saturated workers, one job after the other, each of about 1 s.

    For each span its seconds and how many workers there are; ``spread`` is the share by which a
    job may be shorter or longer, 0 makes them regular.
    """
    total_s = sum(seconds for seconds, _ in spans)
    found, start, before = [], 0.0, 0
    for seconds, count in spans:
        for _ in range(count - before):
            at = start + rng.random()
            while at < total_s:
                found.append(at)
                at += 1 + rng.uniform(-spread, spread)
        before = max(before, count)
        start += seconds
    return sorted(found)
