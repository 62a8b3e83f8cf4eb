"""Estimates of generated histories, against what they cost by a calculation of their own."""

from __future__ import annotations

import math
import random
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.price_file import read_prices
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.series import ClusterSeries, Series
from kiosk_locust.cost.types import CostEstimate, Window, WorkDone
from tests.cost.histories import PRICE_FILE, History, Past, any_history, series

BOOK = PriceBook.of(read_prices(PRICE_FILE.splitlines(), source="prices.csv"))
HISTORIES = st.integers(0, 10**9).map(any_history)


def cost(found: ClusterSeries, start_at: float, end_at: float) -> CostEstimate:
    return estimate(found, Window(start_at, end_at), WorkDone(), BOOK, network=False)


def of_history(history: History, **how: int) -> CostEstimate:
    return cost(series(history, **how), history.start_at, history.end_at)


def usd(found: CostEstimate) -> float:
    assert found.run.total_usd is not None
    return found.run.total_usd


def allowed_usd(history: History) -> float:
    """0.1 %, a scrape interval a death, and who was there too shortly for anybody to look."""
    unseen_s = history.unseen_s
    start_at, end_at = history.start_at, history.end_at
    return history.tolerance_usd(start_at, end_at) + math.fsum(
        life.seconds(start_at, end_at) * life.usd_per_hour / 3600
        for life in history.lives
        if life.born_at > end_at - unseen_s
        or (
            life.died_at is not None
            and (life.died_at < start_at + unseen_s or life.died_at - life.born_at <= unseen_s)
        )
    )


@settings(max_examples=100)
@given(HISTORIES)
def test_an_estimate_is_right_to_a_scrape_interval_a_death(history: History) -> None:
    window = history.start_at, history.end_at
    found = of_history(history)
    assert abs(usd(found) - history.cost_usd(*window)) <= allowed_usd(history)
    for gpu, figure in ((True, found.run.gpu_nodes_usd), (False, found.run.cpu_nodes_usd)):
        assert figure is not None
        assert abs(figure - history.cost_usd(*window, gpu=gpu)) <= allowed_usd(history)


@settings(max_examples=40)
@given(HISTORIES)
def test_nodes_that_never_die_are_counted_exactly(history: History) -> None:
    seen = replace(
        history,
        lives=tuple(
            life
            for life in history.lives
            if life.died_at is None
            and life.born_at < max(history.start_at, history.end_at - history.unseen_s) - 15
        ),
    )
    true_usd = seen.cost_usd(seen.start_at, seen.end_at)
    assert usd(of_history(seen)) == pytest.approx(true_usd, rel=1e-9)


@settings(max_examples=60)
@given(HISTORIES)
def test_the_sum_over_the_nodes_is_the_total(history: History) -> None:
    found = of_history(history)
    nodes = [node.usd for node in found.nodes if node.usd is not None]
    assert len(nodes) == len(found.nodes)
    assert math.fsum(nodes) == pytest.approx(usd(found), rel=1e-12)
    parts = [found.run.cpu_nodes_usd or 0.0, found.run.gpu_nodes_usd or 0.0]
    assert sum(parts) == pytest.approx(usd(found), rel=1e-12)


@settings(max_examples=60)
@given(HISTORIES, st.floats(0, 1))
def test_a_window_split_in_two_gives_the_same_sum(history: History, share: float) -> None:
    found = series(history)
    middle = history.start_at + share * (history.end_at - history.start_at)
    halves = [cost(found, history.start_at, middle), cost(found, middle, history.end_at)]
    whole = usd(cost(found, history.start_at, history.end_at))
    assert sum(half.run.total_usd or 0.0 for half in halves) == pytest.approx(whole, rel=1e-9)


@settings(max_examples=60)
@given(HISTORIES, st.integers(0, 10**9))
def test_other_labels_and_another_order_change_nothing(history: History, seed: int) -> None:
    before = series(history)
    assert cost(_relabelled(before, seed), history.start_at, history.end_at) == cost(
        before, history.start_at, history.end_at
    )


def _relabelled(found: ClusterSeries, seed: int) -> ClusterSeries:
    """The same samples from other pods, each series cut in two, in another order."""
    changes: dict[str, tuple[Series, ...]] = {}
    for field in fields(found):
        those = getattr(found, field.name)
        if isinstance(those, tuple):
            rng = random.Random(seed)  # the same names and cuts for each metric
            parts = [part for one in those for part in _cut(one, found)]
            rng.shuffle(parts)
            changes[field.name] = tuple(parts)
    return replace(found, **changes)  # type: ignore[arg-type]  # all of them are series


def _cut(one: Series, found: ClusterSeries) -> list[Series]:
    middle = (found.start_at + found.end_at) / 2
    halves = (
        ("new-1", tuple(sample for sample in one.samples if sample[0] < middle)),
        ("new-2", tuple(sample for sample in one.samples if sample[0] >= middle)),
    )
    return [
        Series({**one.labels, "pod": one.labels["pod"] + pod, "instance": pod}, samples)
        for pod, samples in halves
        if samples
    ]


def test_a_lookback_costs_nothing_where_scrapes_are_known_and_5_minutes_where_not() -> None:
    stays = Past("stays", 1_699_990_000.0, None, "e2-standard-4")
    dies = Past("dies", 1_699_990_000.0, 1_700_001_000.0, "n1-highmem-2")
    history = History((stays, dies), 1_700_000_000.0, 1_700_003_000.0, 15.0, 3.0, stale=False)
    found = series(history)
    known, unknown = (
        next(node.hours * 3600 for node in cost(one, history.start_at, history.end_at).nodes
             if node.name == "dies")
        for one in (found, replace(found, scraped_at=()))
    )  # fmt: skip
    assert known == pytest.approx(1000, abs=15)
    assert unknown == pytest.approx(1300, abs=30)
