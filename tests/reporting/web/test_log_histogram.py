from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.reporting.web.log_histogram import LEAST_S, Spread

TIMES = st.lists(st.floats(LEAST_S * 2, 1e6), min_size=1, max_size=200)


def spread(times: list[float]) -> Spread:
    made = Spread()
    for time_s in times:
        made.add(time_s)
    return made


@given(TIMES, st.integers(1, 100))
def test_a_quantile_is_within_2_2_percent_of_the_value_at_its_nearest_rank(
    times: list[float], percent: int
) -> None:
    rank = max(1, math.ceil(len(times) * percent / 100))
    (found,) = spread(times).quantiles_s([percent])
    assert found == pytest.approx(sorted(times)[rank - 1], rel=0.0221)


@given(TIMES, TIMES)
def test_merging_is_the_same_as_counting_together(some: list[float], others: list[float]) -> None:
    merged = spread(some)
    merged.merge(spread(others))
    together = spread(some + others)
    assert merged.classes() == together.classes()
    assert merged.count == together.count
    assert merged.total_s == pytest.approx(math.fsum(some + others))


@given(TIMES, st.integers(1, 80))
def test_a_histogram_has_every_time_in_its_class_and_no_more_bars_than_asked(
    times: list[float], most: int
) -> None:
    edges, counts = spread(times).classes(most)
    assert len(counts) <= most
    assert len(edges) == len(counts) + 1
    for begin, end, count in zip(edges, edges[1:], counts, strict=False):
        inner = sum(begin * (1 + 1e-9) < time_s < end * (1 - 1e-9) for time_s in times)
        touching = sum(begin * (1 - 1e-9) <= time_s <= end * (1 + 1e-9) for time_s in times)
        assert inner <= count <= touching
    assert sum(counts) == len(times)


def test_no_times_have_no_quantiles_no_sum_and_no_classes() -> None:
    none = Spread()
    assert none.quantiles_s((50, 95)) == [None, None]
    assert (none.count, none.total_s) == (0, 0.0)
    assert none.classes() == ([], [])


def test_times_too_short_or_too_long_count_at_the_ends() -> None:
    edges, counts = spread([0.0, 1e-9, 1e12]).classes(most=10_000)
    assert (counts[0], counts[-1], sum(counts)) == (2, 1, 3)
    assert edges[-1] < 70 * 24 * 3600
