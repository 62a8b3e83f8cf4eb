from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement import percentiles
from kiosk_locust.measurement.quantiles import at_rank, rank


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [(1000, 99.9, 999), (10_000, 99.9, 9990), (10, 95, 10), (20, 95, 19), (1, 1, 1), (7, 100, 7)],
)
def test_a_rank_is_of_the_percentage_as_it_is_written(
    count: int, percent: float, expected: int
) -> None:
    assert rank(count, percent) == expected


@given(st.integers(1, 10**7), st.integers(1, 100))
def test_it_is_the_rank_of_the_summarys_percentiles(count: int, percent: int) -> None:
    assert rank(count, percent) == percentiles.rank(count, percent)


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one"):
        at_rank([], 50)
