"""Exact percentiles of columns, by the nearest rank.

Memory: some columns at a time, 8 MB each for a million values, and one of them sorted, 32 MB.
"""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice

#: The percentiles that are told, beside the greatest value.
SHARES = (50, 90, 95, 99)
_AT_ONCE = 3
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of ``count`` values, in seconds; every value was really measured.

    A percentile of fewer values than `fewest` says is None: it would be the greatest of them,
    which ``max`` has.
    """

    count: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None

    @property
    def typical(self) -> float | None:
        """The median, or the single value that there is."""
        return self.max if self.p50 is None else self.p50

    @property
    def high(self) -> float | None:
        """The 95th percentile, or the greatest of so few values that they have none."""
        return self.max if self.p95 is None else self.p95


@lru_cache(maxsize=64)
def _exactly(percent: float) -> Fraction:
    """A percentage as a share, as it is written: 99.9 is 999/1000."""
    return Fraction(str(percent)) / 100


def fewest(percent: float) -> int:
    """The number of values from which on a percentile is another rank than the greatest.

    100 for p99, 20 for p95, 10 for p90, 2 for the median.
    """
    return math.ceil(1 / (1 - _exactly(percent)))


def rank(count: int, percent: float) -> int:
    """The nearest rank, from 1: the least one that ``percent`` of the values do not exceed.

    ``percent`` is taken as it is written, so no rounding of a binary fraction moves a rank.
    """
    share = _exactly(percent)
    return max(1, -(-count * share.numerator // share.denominator))


def at_rank(ordered: Sequence[float], percent: float) -> float:
    """The percentile of values in ascending order; raises ValueError where there are none."""
    if not ordered:
        raise ValueError("a percentile needs at least one value")
    return ordered[rank(len(ordered), percent) - 1]


def of(db: sqlite3.Connection, sql: str, given: Mapping[str, object]) -> Percentiles:
    """The percentiles of the one column that ``sql`` selects; NULLs are left out."""
    return of_values(array("d", (row[0] for row in db.execute(sql, given) if row[0] is not None)))


def of_values(values: Sequence[float]) -> Percentiles:
    """The percentiles of values in any order."""
    if not values:
        return Percentiles(0)
    ordered = sorted(values)
    count = len(ordered)
    p50, p90, p95, p99 = (
        at_rank(ordered, percent) if count >= fewest(percent) else None for percent in SHARES
    )
    return Percentiles(count, p50, p90, p95, p99, ordered[-1])


def columns(
    db: sqlite3.Connection, wanted: Mapping[str, str], source: str, given: Mapping[str, object]
) -> Iterator[tuple[str, array[float]]]:
    """The values of several columns of one table, each by its name; NULLs are left out.

    ``wanted`` has their SQL, ``source`` what follows FROM. Some are read at a time: a pass for
    each would take long, and all together too much memory.
    """
    for names in batched(wanted, _AT_ONCE):
        found = [array("d") for _ in names]
        chosen = ", ".join(wanted[name] for name in names)
        rows = db.execute(f"SELECT {chosen} FROM {source}", given)  # noqa: S608  constants of this package
        while chunk := rows.fetchmany(_CHUNK):
            for values, column in zip(found, zip(*chunk, strict=True), strict=True):
                values.extend([value for value in column if value is not None])
        yield from zip(names, found, strict=True)


def batched(names: Iterable[str], most: int) -> Iterator[list[str]]:
    """``names`` in lists of at most so many (itertools has it from Python 3.12 on)."""
    left = iter(names)
    while batch := list(islice(left, most)):
        yield batch
