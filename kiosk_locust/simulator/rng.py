"""Seeded draws: each job has its own streams, so its course is independent of other jobs."""

from __future__ import annotations

import random
from enum import IntEnum
from math import exp


class Purpose(IntEnum):
    """Purpose of a stream of random numbers."""

    IDENTITY = 0
    WORK = 1
    NODE = 2
    FAULT = 3


def stream(seed: int, purpose: Purpose, number: int, part: int = 0) -> random.Random:
    """Random numbers of job (or node) ``number`` and its ``part`` (a child, an attempt)."""
    return random.Random(_state(seed, purpose, number, part))


def restart(
    rng: random.Random, seed: int, purpose: Purpose, number: int, part: int = 0
) -> random.Random:
    """Make ``rng`` another stream, and return it.

    The same numbers as of `stream`, in half the time, for streams that are used at once.
    """
    rng.seed(_state(seed, purpose, number, part))
    return rng


def _state(seed: int, purpose: Purpose, number: int, part: int) -> int:
    return (seed << 104) | (number << 48) | (part << 4) | purpose


def duration(rng: random.Random, median_s: float, spread: float) -> float:
    """Seconds from a log-normal distribution around ``median_s``."""
    return median_s * exp(rng.gauss(0.0, spread))  # three times as fast as rng.lognormvariate
