"""Queues whose truth is known, by Lindley's recursion."""

from __future__ import annotations

import math
import random


def stays(count: int, load: float, rng: random.Random, *, stationary: bool) -> list[float]:
    """How long each of ``count`` jobs is in an M/M/1 queue with service of mean 1, in order.

    W(n+1) = max(0, W(n) + S(n) - A(n+1)) (Lindley 1952). A stationary queue begins with the wait
    of its own limit: 0 with 1 - load, else exponential with rate 1 - load.
    """
    wait = 0.0
    if stationary and rng.random() < load:
        wait = rng.expovariate(1 - load)
    found = []
    for _ in range(count):
        service = rng.expovariate(1)
        found.append(wait + service)
        wait = max(0.0, wait + service - rng.expovariate(load))
    return found


def true_percentile(load: float, percent: float) -> float:
    """Of a stay in a stationary M/M/1 queue, which is exponential with rate 1 - load."""
    return -math.log(1 - percent / 100) / (1 - load)


def moments(
    count: int, rate: float, servers: int, rng: random.Random
) -> tuple[list[float], list[float]]:
    """When each job came and when it ended, first come first served, with services of mean 1."""
    free = [0.0] * servers
    came, ended, now = [], [], 0.0
    for _ in range(count):
        now += rng.expovariate(rate)
        server = min(range(servers), key=free.__getitem__)
        free[server] = max(free[server], now) + rng.expovariate(1)
        came.append(now)
        ended.append(free[server])
    return came, ended
