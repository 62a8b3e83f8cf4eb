"""Exact percentiles of a column, by the nearest rank, in constant memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

#: The percentiles that are told, beside the greatest value.
SHARES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of ``count`` values, in seconds; every value was really measured. None of no values."""

    count: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


def rank(count: int, percent: int) -> int:
    """The nearest rank, from 1: the least one that ``percent`` of the values do not exceed."""
    return max(1, -(-count * percent // 100))


def of(db: sqlite3.Connection, sql: str, given: Mapping[str, object]) -> Percentiles:
    """The percentiles of the column ``value`` that ``sql`` selects; NULLs are left out.

    SQLite sorts, on the disk if there is much; here only one value at a time is looked at.
    """
    chosen = f"FROM ({sql}) WHERE value IS NOT NULL"
    count: int = db.execute(f"SELECT count(*) {chosen}", given).fetchone()[0]
    if not count:
        return Percentiles(0)
    values = db.execute(f"SELECT value {chosen} ORDER BY value", given)
    found: list[float] = []
    at = 0
    for wanted in (*(rank(count, percent) for percent in SHARES), count):
        if wanted > at:
            value = next(islice(values, wanted - at - 1, None))[0]
            at = wanted
        found.append(value)
    return Percentiles(count, *found)
