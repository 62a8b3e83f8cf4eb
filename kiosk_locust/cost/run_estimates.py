"""Estimates of a run's cost and that of its cycles, from the cluster's series and the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.price_file import read_price_file
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.series import ClusterSeries
from kiosk_locust.cost.types import CostEstimate, Window
from kiosk_locust.cost.work import work_done
from kiosk_locust.ledger import queries
from kiosk_locust.ledger.reader import opened
from kiosk_locust.model.options import Options


def run_estimates(
    series: ClusterSeries,
    ledger: Path,
    run: Window,
    ends: Mapping[int | None, float],
    *,
    options: Options,
    seen_to: float,
) -> dict[int | None, CostEstimate]:
    """Estimate the run (None), and where it has several cycles each of them.

    ``ends`` has the last end of a job of each cycle, and of the run under None, where they are
    known; the run's nodes were seen until ``seen_to`` (epoch seconds).
    """
    cost = options.cost
    book = PriceBook.of(read_price_file(Path(cost.prices)) if cost.prices else None)
    with opened(ledger) as db:
        estimates = {}
        for cycle, window in _windows(db, run, ends, options.num_cycles).items():
            work = work_done(db, cycle, cost.images_per_job)
            estimates[cycle] = estimate(
                series,
                window,
                replace(work, last_closed_at=ends.get(cycle, work.last_closed_at)),
                book,
                node_types=cost.node_types,
                network=cost.network,
                seen_to=seen_to if cycle is None else window.end_at,
            )
        return estimates


def _windows(
    db: sqlite3.Connection, run: Window, ends: Mapping[int | None, float], num_cycles: int
) -> dict[int | None, Window]:
    windows: dict[int | None, Window] = {None: run}
    if num_cycles > 1:
        for cycle, started_at, ended_at in queries.cycles(db):
            end_at = ends.get(cycle, ended_at or run.end_at)
            windows[cycle] = Window(started_at, max(started_at, end_at))
    return windows
