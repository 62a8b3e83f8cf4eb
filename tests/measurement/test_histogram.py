from __future__ import annotations

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.histogram import DurationHistogram

MOST_US = 10**9
TIMES_US = st.lists(st.integers(-5, 2 * MOST_US), min_size=1, max_size=300)
PERCENTS = (0.1, 10, 50, 90, 99, 99.9, 100)


@given(TIMES_US)
def test_its_percentiles_are_those_of_an_hdr_histogram_that_all_was_recorded_in(
    times_us: list[int],
) -> None:
    ours, plain = DurationHistogram(MOST_US / 1e6), HdrHistogram(1, MOST_US, 3)
    for time_us in times_us:
        ours.add(time_us / 1e6)
        plain.record_value(min(MOST_US, max(0, time_us)))
    assert (ours.count, ours.total) == (plain.total_count, plain.total_count)
    assert ours.highest_s == plain.max_value / 1e6
    for percent in PERCENTS:
        assert ours.percentile_s(percent) == plain.get_value_at_percentile(percent) / 1e6


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=10), st.integers(10**5, 10**8))
def test_what_a_long_one_swallowed_is_filled_in_as_an_hdr_histogram_does(
    times_us: list[int], expected_us: int
) -> None:
    ours, plain = DurationHistogram(MOST_US / 1e6), HdrHistogram(1, MOST_US, 3)
    for time_us in times_us:
        ours.add(time_us / 1e6, expected_us / 1e6)
        plain.record_corrected_value(time_us, expected_us)
    assert (ours.count, ours.total) == (len(times_us), plain.total_count)
    for percent in PERCENTS:
        assert ours.percentile_s(percent) == plain.get_value_at_percentile(percent) / 1e6


@given(TIMES_US, TIMES_US, st.integers(0, 50))
def test_times_beside_it_leave_it_as_it_is(
    some_us: list[int], more_us: list[int], shorter: int
) -> None:
    ours, together = DurationHistogram(MOST_US / 1e6), DurationHistogram(MOST_US / 1e6)
    for time_us in some_us:
        ours.add(time_us / 1e6)
        together.add(time_us / 1e6)
    for time_us in [*more_us, *(1 for _ in range(shorter))]:
        together.add(time_us / 1e6)
    both = ours.also([time_us / 1e6 for time_us in more_us], shorter)
    assert both.count == together.count
    assert ours.count == len(some_us)
    for percent in PERCENTS:
        assert both.percentile_s(percent) == together.percentile_s(percent)
