from __future__ import annotations

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.histogram import Histogram

MOST = 10**9


@given(st.lists(st.integers(-5, 2 * MOST), min_size=1, max_size=300))
def test_its_percentiles_are_those_of_one_that_all_was_recorded_in(
    values: list[int],
) -> None:
    quick, plain = Histogram(MOST), HdrHistogram(1, MOST, 3)
    for value in values:
        quick.add(value)
        plain.record_value(min(MOST, max(0, value)))
    whole = quick.whole
    assert (whole.total_count, whole.max_value) == (plain.total_count, plain.max_value)
    for percent in (0.1, 10, 50, 90, 99, 100):
        assert whole.get_value_at_percentile(percent) == plain.get_value_at_percentile(percent)


def test_what_was_looked_at_before_counts_once() -> None:
    histogram = Histogram(MOST)
    for value in (5, 5000, 7):
        histogram.add(value)
        assert histogram.whole is histogram.whole
    assert histogram.whole.total_count == 3
