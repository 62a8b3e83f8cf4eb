"""How far the Kiosk's clocks are from ours in one run, from its ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kiosk_locust.formatting.json_text import loads
from kiosk_locust.measurement.clocks import (
    CONSUMER_RESOLUTION_S,
    FRONTEND,
    FRONTEND_RESOLUTION_S,
    Bound,
    Offset,
    Sample,
)
from kiosk_locust.measurement.sampling import Gathered
from kiosk_locust.model.job_hash import parse_time

#: So many jobs, spread evenly, tell of the clocks: any part of the samples gives true bounds.
MOST_JOBS = 50_000
#: So many steps of a clock are told with their moments.
STEPS_TOLD = 20

_SUBMISSIONS = """SELECT fields, sent_at, received_at
    FROM tickets JOIN attempts ON ticket_id = id AND result = 'accepted' AND sent_at = submitted_at
    WHERE id % :nth = 0 AND ambiguous = 0 AND fields IS NOT NULL AND received_at IS NOT NULL"""
_CHANGES = """SELECT updated_by, updated_at, after, observed_at FROM changes
    WHERE ticket_id % :nth = 0 AND updated_at IS NOT NULL AND updated_by IS NOT NULL
    AND status <> 'new'"""  # a janitor makes a job new again without a stamp


@dataclass(frozen=True, slots=True)
class Clocks:
    """The offset of the frontend's clock and of each consumer's; ``counts`` are of samples."""

    offsets: Mapping[str, Offset]
    counts: Mapping[str, int]

    def bound(self, clock: str, moment: float) -> Bound | None:
        """How far ``clock`` is ahead at a moment of ours; None where nothing consistent is known.

        Where its samples contradict one another, the clock was stepped, or several machines
        go by one name.
        """
        offset = self.offsets.get(clock)
        if offset is None:
            return None
        found = offset.at(moment)
        return None if found is None or found.is_empty else found

    @property
    def frontend(self) -> Bound | None:
        """The frontend's, in the middle of the run."""
        offset = self.offsets.get(FRONTEND)
        return offset.middle() if offset else None

    @property
    def steps(self) -> int:
        """How often clocks were stepped."""
        return sum(len(offset.steps()) for offset in self.offsets.values())

    def as_json(self) -> dict[str, Any]:
        """The clocks section of results; offsets in seconds, positive: ahead of ours."""
        told = {name: self._told(name) for name in sorted(self.offsets)}
        return {"frontend": told.pop(FRONTEND, None), "consumers": told}

    def _told(self, name: str) -> dict[str, Any]:
        offset = self.offsets[name]
        bound = offset.middle()
        widest = offset.widest()
        steps = offset.steps()
        known = bound is not None and not bound.is_empty
        return {
            "offset_s": bound.offset_s if bound and known else None,
            "error_s": bound.error_s if bound and known else None,
            "widest_error_s": widest.error_s if widest and widest.error_s >= 0 else None,
            "samples": self.counts[name],
            "steps": len(steps),
            "first_steps_at": list(steps[:STEPS_TOLD]),
        }


def clocks(db: sqlite3.Connection, skew_s: float = 0.0) -> Clocks:
    """What the requests and polls of a run bound; read once, in bounded memory.

    The moments of workers are known within ``skew_s`` of the master's time only.
    """
    gathered = Gathered()
    (jobs,) = db.execute("SELECT count(*) FROM tickets").fetchone()
    for clock, sample in _samples(db, {"nth": 1 + jobs // MOST_JOBS}, skew_s):
        gathered.add(clock, sample)
    found = gathered.offsets()
    return Clocks(found, {name: gathered.count(name) for name in found})


def _samples(
    db: sqlite3.Connection, given: Mapping[str, int], skew_s: float
) -> Iterator[tuple[str, Sample]]:
    for fields, sent_at, received_at in db.execute(_SUBMISSIONS, given):
        created_at = parse_time(loads(fields).get("created_at", ""))
        if created_at is not None:
            moments = sent_at - skew_s, received_at + skew_s
            yield FRONTEND, Sample(created_at, *moments, FRONTEND_RESOLUTION_S)
    for updated_by, updated_at, after, observed_at in db.execute(_CHANGES, given):
        moments = after - skew_s, observed_at + skew_s
        yield updated_by, Sample(updated_at, *moments, CONSUMER_RESOLUTION_S)
