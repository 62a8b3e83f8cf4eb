"""The processes that worked on a run, one after the other, and the gaps between them.

The scratch table ``temp.spells`` has the times in which one of them was alive.
"""

# ruff: noqa: S608  the parts of the SQL here are constants of this package, no input

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from kiosk_locust.formatting import units

#: A process that is begun anew every minute begins so many in two months.
MOST_SESSIONS = 100_000


@dataclass(frozen=True, slots=True)
class Session:
    """One process's work on a run; times in epoch seconds, None where not known."""

    number: int
    started_at: float
    time_zero: float | None
    ended_at: float | None  # of one that died: its last sign of life
    ended_by: str
    changed: Mapping[str, Any] = field(default_factory=dict)  # by name: [before, now]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time (epoch seconds) in which no process of the run was alive.

    It begins when the session before had ended, or where its process died, at its last sign of
    life; ``ended_by`` says why it ended.
    """

    begin: float
    end: float
    ended_by: str = ""

    @property
    def seconds(self) -> float:
        """How long it is; two processes' clocks cannot make it less than 0."""
        return max(0.0, self.end - self.begin)

    def within(self, start: float, end: float) -> float:
        """How many seconds of it lie between two moments."""
        return max(0.0, min(self.end, end) - max(self.begin, start))

    def as_json(self) -> dict[str, Any]:
        """``from``, ``to``, ``seconds`` and ``ended_by``."""
        return {
            "from": self.begin,
            "to": self.end,
            "seconds": self.seconds,
            "ended_by": self.ended_by,
        }


class SpanSums(NamedTuple):
    """How many gaps there are between moments, and what they come to."""

    gaps: int
    span_s: float


def sessions(db: sqlite3.Connection, alive_at: float | None) -> tuple[Session, ...]:
    """All sessions; one that has no end yet was last seen at ``alive_at``.

    Raises ValueError where there are more than `MOST_SESSIONS`.
    """
    rows = db.execute(
        "SELECT number, started_at, time_zero, ended_at, ended_by, changed FROM sessions ORDER BY 1"
    ).fetchmany(MOST_SESSIONS + 1)
    if len(rows) > MOST_SESSIONS:
        raise ValueError("a run has more sessions than any process can begin")
    return tuple(
        Session(
            number, begun, zero, alive_at if end is None else end, by or "", json.loads(changed)
        )
        for number, begun, zero, end, by, changed in rows
    )


def gaps(found: Sequence[Session]) -> Iterator[Gap]:
    """The gaps between them."""
    for before, after in itertools.pairwise(found):
        if before.ended_at is not None:
            yield Gap(before.ended_at, after.started_at, before.ended_by)


def interrupted(found: Sequence[Gap]) -> str:
    """Words on all gaps together, for the end of a sentence; empty where there is none."""
    if not found:
        return ""
    seconds = units.seconds(sum(gap.seconds for gap in found))
    if len(found) == 1:
        why = found[0].ended_by or "the cause is not known"
        return f"the run was interrupted once ({why}), for {seconds}"
    return f"the run was interrupted {len(found):,} times, for {seconds} in all"


def mark_spells(db: sqlite3.Connection, found: Iterable[Gap]) -> None:
    """Fill ``temp.spells`` with the times around the gaps; without any it is all time."""
    db.execute("DROP TABLE IF EXISTS temp.spells")
    db.execute("CREATE TEMP TABLE spells (alive_from REAL, alive_until REAL)")
    edges = [-math.inf]
    for gap in found:
        edges += [gap.begin, gap.begin + gap.seconds]
    pairs = zip(edges[::2], [*edges[1::2], math.inf], strict=True)
    db.executemany("INSERT INTO temp.spells VALUES (?, ?)", pairs)


def spans(
    db: sqlite3.Connection,
    moment: str,
    by: str,
    given: Mapping[str, object],
    among: str = "tickets WHERE true",
) -> SpanSums:
    """The gaps between the moments in a column of the tickets, with equal ``by``.

    Those between two sessions do not count: there, the schedule stood still.
    """
    number, span_s = db.execute(
        f"""SELECT coalesce(sum(gaps), 0), coalesce(sum(span), 0.0) FROM (
            SELECT count(*) - 1 AS gaps, max({moment}) - min({moment}) AS span FROM {among}
            AND (:cycle IS NULL OR cycle = :cycle) AND {moment} IS NOT NULL
            GROUP BY {by}, (SELECT count(*) FROM sessions WHERE number > 1
                AND started_at <= {moment}))""",
        given,
    ).fetchone()
    return SpanSums(number, span_s)
