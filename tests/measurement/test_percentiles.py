from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.percentiles import at_rank, fewest, of_values, rank


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [(1000, 99.9, 999), (10_000, 99.9, 9990), (10, 95, 10), (20, 95, 19), (1, 1, 1), (7, 100, 7)],
)
def test_a_rank_is_of_the_percentage_as_it_is_written(
    count: int, percent: float, expected: int
) -> None:
    assert rank(count, percent) == expected


@given(st.integers(1, 10**7), st.integers(1, 1000))
def test_a_rank_is_the_least_that_so_many_percent_do_not_exceed(count: int, tenths: int) -> None:
    exact = Decimal(count) * Decimal(tenths) / 1000
    assert rank(count, tenths / 10) == exact.to_integral_value(ROUND_CEILING)


@given(st.integers(1, 999))
def test_the_fewest_values_are_those_whose_rank_is_not_the_greatest(tenths: int) -> None:
    percent = tenths / 10
    count = fewest(percent)
    assert rank(count, percent) < count
    assert count == 2 or rank(count - 1, percent) == count - 1


@given(st.lists(st.floats(0, 1e6), max_size=250))
def test_a_percentile_is_lacking_where_it_would_be_the_greatest(values: list[float]) -> None:
    found = of_values(values)
    shown = [found.p50, found.p90, found.p95, found.p99]
    assert [value is not None for value in shown] == [len(values) >= n for n in (2, 10, 20, 100)]


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one"):
        at_rank([], 50)
