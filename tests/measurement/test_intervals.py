from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from kiosk_locust.measurement.intervals import (
    FEWEST_CYCLES,
    Estimate,
    by_batches,
    by_cycles,
    needed,
    von_neumann,
)
from tests.measurement.queues import stays, true_percentile


@pytest.mark.parametrize(("percent", "jobs"), [(50, 6), (90, 36), (95, 72), (99, 368), (5, 72)])
def test_a_bound_needs_so_many_independent_values(percent: float, jobs: int) -> None:
    share = max(percent, 100 - percent) / 100
    assert needed(percent) == jobs
    assert share**jobs <= 0.025 < share ** (jobs - 1)


@pytest.mark.parametrize("percent", [0, 100, 101])
def test_a_maximum_has_no_bound_however_many_values_there_are(percent: float) -> None:
    with pytest.raises(ValueError, match="has no bound"):
        needed(percent)


def holds(found: Estimate, truth: float) -> bool:
    return found.interval is not None and found.interval.low <= truth <= found.interval.high


def test_with_fewer_values_there_is_no_interval_and_a_sentence() -> None:
    found = by_batches([random.Random(1).random() for _ in range(71)], 95)
    assert found.interval is None
    assert found.value is not None
    assert found.why == (
        "within this run only: a bound of p95 needs 72 independent values, here are 71"
    )


def test_of_no_values_there_is_nothing() -> None:
    assert by_batches([], 95).value is None
    assert by_cycles([]).value is None


def test_a_ramp_has_no_interval() -> None:
    assert by_batches([float(n) for n in range(5000)], 95).interval is None


def test_values_that_are_all_alike_have_no_interval() -> None:
    assert by_batches([3.0] * 5000, 95).interval is None


def test_slow_waves_are_seen_through_though_they_come_in_many_spells() -> None:
    rng = random.Random(3)
    waves = [10 * math.sin(n / 4000) + rng.gauss(0, 3) for n in range(10_000)]
    found = by_batches(waves, 90)
    assert found.interval is None
    assert found.why.startswith("within this run only: ")


def test_infinite_values_count() -> None:
    rng = random.Random(4)
    values = [math.inf if rng.random() < 0.02 else rng.expovariate(1) for _ in range(10_000)]
    assert by_batches(values, 95).interval is not None
    assert by_batches(values, 99).value == math.inf


@pytest.mark.parametrize(("load", "count"), [(0.5, 10_000), (0.8, 2_000), (0.9, 2_000)])
def test_an_interval_of_a_queue_covers_the_truth_or_is_not_given(load: float, count: int) -> None:
    rng = random.Random(11)
    truth = true_percentile(load, 95)
    found = [by_batches(stays(count, load, rng, stationary=True), 95) for _ in range(40)]
    given = [each for each in found if each.interval]
    assert sum(holds(each, truth) for each in given) >= 0.93 * len(given)
    if load == 0.5:
        assert len(given) >= 30
    else:
        assert len(given) <= 1  # the run is too short to tell


def naive(values: Sequence[float], percent: float) -> tuple[float, float]:
    """The order statistics that would bound the percentile, were the values independent."""
    ordered, p = sorted(values), percent / 100
    middle, half = len(values) * p, 1.96 * math.sqrt(len(values) * p * (1 - p))
    return ordered[math.floor(middle - half) - 1], ordered[math.ceil(middle + half)]


def test_intervals_that_take_jobs_for_independent_miss_two_times_in_three() -> None:
    rng = random.Random(12)
    truth = true_percentile(0.8, 95)
    covered = 0
    for _ in range(100):
        low, high = naive(stays(2000, 0.8, rng, stationary=True), 95)
        covered += low <= truth <= high
    assert covered <= 50


def test_cycles_are_replicates_whose_median_is_bounded() -> None:
    found = by_cycles([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
    assert found.value == 3.5
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (1.0, 6.0)
    # With 20 the binomial distribution leaves 5 outside on each side: P(X <= 5) = 0.0207.
    more = by_cycles([float(n) for n in range(20)]).interval
    assert more is not None
    assert (more.low, more.high) == (5.0, 14.0)


def test_too_few_cycles_have_no_interval() -> None:
    found = by_cycles([1.0] * (FEWEST_CYCLES - 1))
    assert found.interval is None
    assert found.why.endswith("an interval from cycles needs 6, there were 5")


def test_the_interval_from_cycles_covers_the_median_of_skewed_values() -> None:
    rng = random.Random(13)
    truth = math.exp(0)  # the median of a lognormal
    covered = sum(
        holds(by_cycles([rng.lognormvariate(0, 1.5) for _ in range(8)]), truth) for _ in range(1000)
    )
    assert covered >= 960


def test_von_neumanns_ratio_tells_neighbours_that_resemble_each_other() -> None:
    rng = random.Random(14)
    alike = [n + rng.random() for n in range(10)]
    assert von_neumann(alike) < -2.5
    assert von_neumann([1.0, -1.0] * 5) > 2.5
    assert von_neumann([1.0] * 10) == 0.0
    independent = [von_neumann([rng.gauss(0, 1) for _ in range(10)]) for _ in range(2000)]
    assert sum(value < -1.645 for value in independent) / 2000 == pytest.approx(0.05, abs=0.02)
