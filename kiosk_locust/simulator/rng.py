"""Seeded draws: each job has streams of its own, so what befalls it depends on no other job."""

from __future__ import annotations

import random
from enum import IntEnum
from math import exp


class Purpose(IntEnum):
    """What a stream of random numbers is for."""

    IDENTITY = 0
    WORK = 1
    NODE = 2
    FAULT = 3


def stream(seed: int, purpose: Purpose, number: int, part: int = 0) -> random.Random:
    """The random numbers of one thing: job ``number``, its ``part`` (a child, an attempt)."""
    return random.Random(_state(seed, purpose, number, part))


def restart(
    rng: random.Random, seed: int, purpose: Purpose, number: int, part: int = 0
) -> random.Random:
    """Make ``rng`` the stream of another thing, and return it.

    The same numbers as of `stream`, in half the time: for streams that are drawn from at once.
    """
    rng.seed(_state(seed, purpose, number, part))
    return rng


def _state(seed: int, purpose: Purpose, number: int, part: int) -> int:
    return (seed << 104) | (number << 48) | (part << 4) | purpose


def duration(rng: random.Random, median_s: float, spread: float) -> float:
    """Seconds from a log-normal distribution around ``median_s``."""
    return median_s * exp(rng.gauss(0.0, spread))  # rng.lognormvariate takes three times as long
