"""What the ledger tells of a run that has ended: figures for thresholds, facts for the verdict."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kiosk_locust.quality import rules
from kiosk_locust.quality.figures import Figure
from kiosk_locust.quality.grammar import Threshold
from kiosk_locust.quality.regime import Regime
from kiosk_locust.reading import Facts


@dataclass(frozen=True, slots=True)
class Measured:
    """What `quality.thresholds.evaluate` and `quality.rules.judge` go by.

    ``figures`` are by ``Threshold.measure``: every single one (shares, rates, costs, makespan)
    and the percentiles that were asked for. ``facts`` holds what a ledger can tell; what only
    the processes knew of themselves (event loop, CPU, the master's replies, silence, lost
    workers) is None there, for the caller to replace.
    """

    figures: Mapping[str, Figure]
    facts: rules.Facts
    regime: Regime


def measured(
    db: sqlite3.Connection,
    run: Facts,
    thresholds: Iterable[Threshold] = (),
    cycle: int | None = None,
) -> Measured:
    """Measure one cycle, or with None the whole run, in a ledger from `reading.opened`.

    Warm-up and cool-down are left out of percentiles and rates. What a ledger has to be read
    through for is kept in scratch tables of the connection, so results and summary that are
    made with the same one cost no second pass. Takes half a minute and 200 MB for a million
    jobs: call it from a thread where something else must go on.
    """
    raise NotImplementedError
