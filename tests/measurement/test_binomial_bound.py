from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

import pytest

from kiosk_locust.measurement.binomial_bound import allowed, least_p99_percent
from kiosk_locust.measurement.histogram import DurationHistogram


def chance_of_more_than(late: int, count: int) -> Fraction:
    """That more than so many of ``count`` values lie above their p99; exact."""
    share = Fraction(1, 100)
    below = (
        comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(min(late, count) + 1)
    )
    return 1 - sum(below, Fraction(0))


@pytest.mark.parametrize("count", [1, 5, 10, 60, 200, 500, 1000, 2000])
def test_chance_explains_what_is_allowed_and_not_much_less(count: int) -> None:
    late = allowed(count)
    assert chance_of_more_than(late, count) <= Fraction(1, 1000)
    if late > min(5, count // 2) and count > 1:
        assert chance_of_more_than(late - 1, count) > Fraction(1, 1000)


def test_of_very_many_values_the_normal_distribution_goes_on_where_the_binomial_ended() -> None:
    found = [allowed(count) for count in range(49_000, 51_000, 50)]
    assert max(abs(after - before) for before, after in pairwise(found)) <= 2
    assert allowed(10**6) == pytest.approx(10_000, rel=0.04)


def test_a_jolt_that_strikes_five_of_forty_requests_is_none_of_the_p99() -> None:
    waits = DurationHistogram()
    for _ in range(35):
        waits.add(0.001)
    for _ in range(5):
        waits.add(0.309)
    assert (waits.percentile_s(99) or 0) > 0.25
    assert (waits.least_p99_s() or 0) < 0.01
    waits.add(0.309)
    assert (waits.least_p99_s() or 0) > 0.25


def test_all_of_a_few_that_are_late_are_enough() -> None:
    waits = DurationHistogram()
    for _ in range(3):
        waits.add(5.0)
    assert waits.least_p99_s() == pytest.approx(5.0, rel=0.01)


def test_one_value_tells_nothing_and_none_tell_nothing() -> None:
    waits = DurationHistogram()
    assert waits.least_p99_s() is None
    waits.add(5.0)
    assert (waits.least_p99_s(), least_p99_percent(1)) == (None, None)


def test_of_many_values_it_is_the_p99_itself_nearly() -> None:
    assert least_p99_percent(1_000_000) == pytest.approx(99, abs=0.04)
