"""The nearest rank, for percentiles that need be no whole number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction


def rank(count: int, percent: float) -> int:
    """From 1: the least rank of ``count`` values that ``percent`` of them do not exceed.

    ``percent`` is taken as it is written (99.9 is 999/1000), so no rounding of a binary
    fraction moves a rank.
    """
    return max(1, math.ceil(Fraction(str(percent)) * count / 100))


def at_rank(ordered: Sequence[float], percent: float) -> float:
    """The percentile of values in ascending order; ValueError of none."""
    if not ordered:
        raise ValueError("a percentile needs at least one value")
    return ordered[rank(len(ordered), percent) - 1]
