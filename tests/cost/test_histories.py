"""Estimates of generated histories, against what they cost by a calculation of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.figures import CostEstimate, Window, Work
from kiosk_locust.cost.pricefile import read_prices
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.series import ClusterSeries, Series
from tests.cost.histories import PRICE_FILE, History, any_history, series

BOOK = PriceBook.of(read_prices(PRICE_FILE.splitlines(), source="prices.csv"))
SEEDS = st.integers(0, 10**9)


def cost(found: ClusterSeries, start_at: float, end_at: float) -> CostEstimate:
    window = Window(start_at, end_at)
    return estimate(found, window, Work(), BOOK, network=False, seen_to=end_at)


def usd(found: CostEstimate) -> float:
    assert found.run.total_usd is not None
    return found.run.total_usd


@settings(max_examples=120, deadline=None)
@given(SEEDS)
def test_an_estimate_is_right_to_a_scrape_interval_a_death(seed: int) -> None:
    history = any_history(seed)
    true_usd = history.cost_usd(history.start_at, history.end_at)
    found = cost(series(history), history.start_at, history.end_at)
    tolerance = history.tolerance_usd(history.start_at, history.end_at)
    if found.run.total_usd is None:
        assert true_usd <= tolerance + missed_usd(history)
        return
    assert abs(usd(found) - true_usd) <= tolerance + missed_usd(history)


def missed_usd(history: History) -> float:
    """What cost who lived between two scrapes only, so that nobody ever saw them."""
    longest_s = history.interval_s + max(
        (to - since for since, to, _ in history.restarts), default=0
    )
    return sum(
        longest_s * life.usd_per_hour / 3600
        for life in history.lives
        if life.seconds(history.start_at, history.end_at) <= longest_s
    )
