"""How many of some values may be late by chance, before their p99 counts as too high.

The p99 of 40 values is the greatest of them, and one jolt of the machine would make a run invalid.
So a rule goes by a lower bound of the p99: the value that more exceed than chance explains. Of many
values, that is the p99 itself, nearly.
"""

from __future__ import annotations

import math
from functools import lru_cache

_SHARE = 0.01  # of the values, above their p99
#: A sound run has as many late values with this chance, were its p99 just at the limit.
CHANCE = 0.001
_Z = 3.090  # the normal distribution's point for it
_NORMAL_FROM = 500.0  # so many values above the p99 are as good as normally distributed
#: A jolt strikes several values at once: so many, or half of fewer than ten.
JOLT = 5


@lru_cache(maxsize=1024)
def allowed(count: int) -> int:
    """How many of ``count`` values may lie above a limit without saying that their p99 does.

    The least k such that more than k of them lie above their p99 with a chance of at most
    0.1 %, by the binomial distribution; at least five, or half of fewer than ten. 5 of 100,
    21 of 1,000, 1,097 of 100,000.
    """
    middle = count * _SHARE
    if middle > _NORMAL_FROM:
        return round(middle + _Z * math.sqrt(middle * (1 - _SHARE)))
    found, term = 0, math.pow(1 - _SHARE, count)
    below = term
    while 1 - below > CHANCE and found < count:
        term *= (count - found) / (found + 1) * _SHARE / (1 - _SHARE)
        found += 1
        below += term
    return max(found, min(JOLT, count // 2))


def least_p99_percent(count: int) -> float | None:
    """Which percentile is the lower bound of the p99 of so many values; None of too few."""
    late = allowed(count)
    return 100 * (1 - late / count) if late < count else None
